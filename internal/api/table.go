package api

import (
	"net/http"
	"slices"

	"callboard/internal/stage"
)

const tagsPath = "/tags/" // followed by an ARN

// table lists all operations of the service.
func table() []operation {
	return slices.Concat(
		stageOperations(),
		tokenOperations(),
		sessionOperations(),
		participantOperations(),
		publicKeyOperations(),
		tagOperations(),
		unavailableOperations(),
	)
}

func stageOperations() []operation {
	return []operation{
		op("CreateStage", (*API).createStage, quota).over(stage.TypeStage),
		op("GetStage", (*API).getStage, notFound),
		op("ListStages", (*API).listStages).over(stage.TypeStage),
		op("UpdateStage", (*API).updateStage, notFound, conflict),
		op("DeleteStage", (*API).deleteStage, notFound, conflict),
	}
}

func tokenOperations() []operation {
	return []operation{
		op("CreateParticipantToken", (*API).createParticipantToken, notFound),
	}
}

func sessionOperations() []operation {
	return []operation{
		op("GetStageSession", (*API).getStageSession, notFound),
		op("ListStageSessions", (*API).listStageSessions),
	}
}

func participantOperations() []operation {
	return []operation{
		op("GetParticipant", (*API).getParticipant, notFound),
		op("ListParticipants", (*API).listParticipants),
		op("ListParticipantEvents", (*API).listParticipantEvents),
		op("DisconnectParticipant", (*API).disconnectParticipant, notFound),
	}
}

func publicKeyOperations() []operation {
	return []operation{
		op("ImportPublicKey", (*API).importPublicKey, quota, conflict).over(stage.TypePublicKey),
		op("GetPublicKey", (*API).getPublicKey, notFound),
		op("ListPublicKeys", (*API).listPublicKeys),
		op("DeletePublicKey", (*API).deletePublicKey, notFound),
	}
}

func tagOperations() []operation {
	return []operation{
		op("TagResource", (*API).tagResource, notFound).at(http.MethodPost, tagsPath),
		op("UntagResource", (*API).untagResource, notFound).at(http.MethodDelete, tagsPath),
		op("ListTagsForResource", (*API).listTagsForResource, notFound).at(http.MethodGet, tagsPath),
	}
}

func unavailableOperations() []operation {
	var list []operation
	for _, name := range []string{
		"StartComposition", "GetComposition", "ListCompositions", "StopComposition",
		"CreateEncoderConfiguration", "GetEncoderConfiguration", "ListEncoderConfigurations", "DeleteEncoderConfiguration",
		"CreateStorageConfiguration", "GetStorageConfiguration", "ListStorageConfigurations", "DeleteStorageConfiguration",
		"CreateIngestConfiguration", "GetIngestConfiguration", "ListIngestConfigurations", "UpdateIngestConfiguration",
		"DeleteIngestConfiguration",
		"StartParticipantReplication", "StopParticipantReplication", "ListParticipantReplicas",
	} {
		list = append(list, unavailable(name))
	}
	return list
}

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
		encoderOperations(),
		storageOperations(),
		ingestOperations(),
		tagOperations(),
		compositionOperations(),
		replicaOperations(),
	)
}

// Operations lists the names of all operations.
func Operations() []string {
	var names []string
	for _, op := range table() {
		names = append(names, op.name)
	}
	return names
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

func encoderOperations() []operation {
	return []operation{
		op("CreateEncoderConfiguration", (*API).createEncoderConfiguration, quota).over(stage.TypeEncoderConfiguration),
		op("GetEncoderConfiguration", (*API).getEncoderConfiguration, notFound),
		op("ListEncoderConfigurations", (*API).listEncoderConfigurations),
		op("DeleteEncoderConfiguration", (*API).deleteEncoderConfiguration, notFound, conflict),
	}
}

func storageOperations() []operation {
	return []operation{
		op("CreateStorageConfiguration", (*API).createStorageConfiguration, notFound, quota).over(stage.TypeStorageConfiguration),
		op("GetStorageConfiguration", (*API).getStorageConfiguration, notFound),
		op("ListStorageConfigurations", (*API).listStorageConfigurations),
		op("DeleteStorageConfiguration", (*API).deleteStorageConfiguration, notFound, conflict),
	}
}

func ingestOperations() []operation {
	return []operation{
		op("CreateIngestConfiguration", (*API).createIngestConfiguration, quota).over(stage.TypeIngestConfiguration),
		op("GetIngestConfiguration", (*API).getIngestConfiguration, notFound),
		op("ListIngestConfigurations", (*API).listIngestConfigurations),
		op("UpdateIngestConfiguration", (*API).updateIngestConfiguration, notFound, conflict),
		op("DeleteIngestConfiguration", (*API).deleteIngestConfiguration, notFound, conflict),
	}
}

func tagOperations() []operation {
	return []operation{
		op("TagResource", (*API).tagResource, notFound).at(http.MethodPost, tagsPath),
		op("UntagResource", (*API).untagResource, notFound).at(http.MethodDelete, tagsPath),
		op("ListTagsForResource", (*API).listTagsForResource, notFound).at(http.MethodGet, tagsPath),
	}
}

func compositionOperations() []operation {
	return []operation{
		planned("StartComposition", (*startCompositionInput).check).over(stage.TypeComposition),
		planned[getCompositionInput]("GetComposition", nil),
		planned("ListCompositions", (*listCompositionsInput).check),
		planned[stopCompositionInput]("StopComposition", nil),
	}
}

func replicaOperations() []operation {
	return []operation{
		planned("StartParticipantReplication", (*startParticipantReplicationInput).check),
		planned("StopParticipantReplication", (*stopParticipantReplicationInput).check),
		planned("ListParticipantReplicas", (*listParticipantReplicasInput).check),
	}
}

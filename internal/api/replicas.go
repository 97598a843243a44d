package api

import "callboard/internal/stage"

type (
	startParticipantReplicationInput struct {
		SourceStageARN      stage.ARN         `json:"sourceStageArn" check:"required,arn=stage" iam:"resource"`
		DestinationStageARN stage.ARN         `json:"destinationStageArn" check:"required,arn=stage" iam:"resource"`
		ParticipantID       string            `json:"participantId" check:"required,id"`
		ReconnectWindow     *int              `json:"reconnectWindowSeconds" check:"min=0,max=300"`
		Attributes          map[string]string `json:"attributes"`
	}

	stopParticipantReplicationInput struct {
		SourceStageARN      stage.ARN `json:"sourceStageArn" check:"required,arn=stage" iam:"resource"`
		DestinationStageARN stage.ARN `json:"destinationStageArn" check:"required,arn=stage" iam:"resource"`
		ParticipantID       string    `json:"participantId" check:"required,id"`
	}

	listParticipantReplicasInput struct {
		SourceStageARN stage.ARN `json:"sourceStageArn" check:"required,arn=stage" iam:"resource"`
		ParticipantID  string    `json:"participantId" check:"required,id"`
		NextToken      string    `json:"nextToken" check:"next"`
		MaxResults     *int      `json:"maxResults" check:"min=1,max=50"` // not 100, as everywhere else
	}
)

func (in *startParticipantReplicationInput) check() error {
	if err := twoStages(in.SourceStageARN, in.DestinationStageARN); err != nil {
		return err
	}
	return stage.CheckAttributes(in.Attributes)
}

func (in *stopParticipantReplicationInput) check() error {
	return twoStages(in.SourceStageARN, in.DestinationStageARN)
}

func twoStages(source, destination stage.ARN) error {
	if source == destination {
		return invalid("A participant is replicated to another stage, but sourceStageArn and destinationStageArn are the same.")
	}
	return nil
}

func (in *listParticipantReplicasInput) check() error {
	return page{NextToken: in.NextToken}.unissued()
}

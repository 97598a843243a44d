"""What a user of boto3 does on a stage, one JSON line for each answer."""

import json
import sys

import boto3
import botocore.exceptions


def main(endpoint, region, stage, session):
    client = boto3.client("ivs-realtime", endpoint_url=endpoint, region_name=region)

    def say(what, **answer):
        answer.pop("ResponseMetadata", None)
        print(json.dumps({"what": what, **answer}, default=str))

    say("stage", **client.get_stage(arn=stage))
    say("everyone", **client.list_participants(stageArn=stage, sessionId=session))
    say("connected", **client.list_participants(stageArn=stage, sessionId=session, filterByState="CONNECTED"))
    say("never published", **client.list_participants(stageArn=stage, sessionId=session, filterByPublished=False))
    say("nobody", **client.list_participants(stageArn=stage, sessionId=session, filterByUserId=""))
    ids, token = [], ""
    while token is not None:
        page = client.list_participants(stageArn=stage, sessionId=session, maxResults=1, nextToken=token)
        ids += [p["participantId"] for p in page["participants"]]
        token = page.get("nextToken")
    say("pages", ids=ids)
    try:
        client.list_participants(stageArn=stage, sessionId=session, filterByState="CONNECTED", filterByPublished=True)
    except client.exceptions.ValidationException as e:
        say("two filters", message=e.response["Error"]["Message"], exceptionMessage=e.response["exceptionMessage"])
    try:
        client.get_stage(arn=stage[:-1] + ("x" if stage[-1] != "x" else "y"))
    except client.exceptions.ResourceNotFoundException as e:
        say("unknown", message=e.response["Error"]["Message"], status=e.response["ResponseMetadata"]["HTTPStatusCode"])
    try:
        client.list_compositions()
    except botocore.exceptions.ClientError as e:
        say("not there yet", code=e.response["Error"]["Code"])
    client.tag_resource(resourceArn=stage, tags={"a b": "é/"})
    say("tags", **client.list_tags_for_resource(resourceArn=stage))
    client.untag_resource(resourceArn=stage, tagKeys=["a b"])
    say("untagged", **client.list_tags_for_resource(resourceArn=stage))


main(*sys.argv[1:])

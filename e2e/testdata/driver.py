"""Carries out orders with boto3: a line of JSON on the input is an order, a line
of JSON on the output is its outcome. See driver_test.go for their members."""

import datetime
import functools
import json
import sys

import boto3
import botocore.config
import botocore.exceptions
from botocore import xform_name


@functools.cache
def client(endpoint, key, secret, region, attempts):
    retries = {"total_max_attempts": attempts} if attempts else None
    return boto3.client("ivs-realtime", endpoint_url=endpoint, region_name=region, aws_access_key_id=key,
                        aws_secret_access_key=secret, config=botocore.config.Config(retries=retries))


def plain(value):
    """An output without metadata; times are marked as such."""
    if isinstance(value, datetime.datetime):
        return "time:" + value.isoformat()
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k != "ResponseMetadata"}
    return value


def carry_out(order):
    c = client(order["endpoint"], order["id"], order["secret"], order["region"], order.get("attempts"))
    name = xform_name(order["operation"])
    if order.get("paginate"):
        pages = c.get_paginator(name).paginate(PaginationConfig={"PageSize": order["pageSize"]}, **order["input"])
        return {"pages": [plain(p) for p in pages]}
    try:
        output = getattr(c, name)(**order["input"])
    except botocore.exceptions.ClientError as e:
        return trouble(c, e)
    return {"output": plain(output), "requestId": output["ResponseMetadata"].get("RequestId", "")}


def trouble(c, e):
    error, metadata = e.response["Error"], e.response["ResponseMetadata"]
    code = error["Code"]
    known = code in dir(c.exceptions) and isinstance(e, getattr(c.exceptions, code))
    return {"requestId": metadata.get("RequestId", ""), "error": {
        "code": code, "message": error["Message"], "status": metadata["HTTPStatusCode"], "class": code if known else "", "client": False}}


for line in sys.stdin:
    try:
        outcome = carry_out(json.loads(line))
    except botocore.exceptions.BotoCoreError as e:
        outcome = {"error": {"code": type(e).__name__, "message": str(e), "client": True}}
    print(json.dumps(outcome), flush=True)

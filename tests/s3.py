"""The S3 client of the end-to-end tests: boto3, so that not only our own code can read what we upload.

    s3.py ENDPOINT create BUCKET
    s3.py ENDPOINT download BUCKET DIR      prints a JSON object: key -> content type
"""

import json
import pathlib
import sys

import boto3


def main():
    endpoint, action, bucket = sys.argv[1:4]
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="reader",
        aws_secret_access_key="reader",
    )
    if action == "create":
        s3.create_bucket(Bucket=bucket)
        return
    folder = pathlib.Path(sys.argv[4])
    types = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            answer = s3.get_object(Bucket=bucket, Key=entry["Key"])
            path = folder / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(answer["Body"].read())
            types[entry["Key"]] = answer["ContentType"]
    print(json.dumps(types))


main()

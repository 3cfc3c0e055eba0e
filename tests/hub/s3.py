"""What the key of one site can do at the hub's store, by boto3 and by raw requests.

    SECRET=... s3.py ENDPOINT SITE OTHER-SITE OWN-KEY FOREIGN-KEY

Prints {"refused": {attempt: answer}, "allowed": {attempt: answer}}; an answer is "done" or the error's code.
"""

import base64
import datetime
import http.client
import json
import os
import sys
import unittest.mock
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

BUCKET = "lares"


def main():
    endpoint, site, other, own, foreign = sys.argv[1:6]
    secret = os.environ["SECRET"]
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    version_2 = Config(signature_version="s3", s3={"addressing_style": "path"}, retries={"max_attempts": 1})

    def client(key=site, password=secret, config=config):
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=password,
            config=config,
        )

    s3 = client()

    def attempt(call, *args, **kwargs):
        try:
            call(*args, **kwargs)
            return "done"
        except ClientError as error:
            return error.response["Error"]["Code"]
        except Exception as error:  # noqa: BLE001 - what a client library makes of it differs
            return type(error).__name__

    place = f"v1/{site}/door/2026-02-02/01990000-0000-7000-8000-000000000001"
    elsewhere = place.replace(site, other, 1)
    refused = {
        "put foreign": attempt(s3.put_object, Bucket=BUCKET, Key=f"{elsewhere}/thumb.jpg", Body=b"x"),
        "get foreign": attempt(s3.get_object, Bucket=BUCKET, Key=foreign),
        "head foreign": attempt(s3.head_object, Bucket=BUCKET, Key=foreign),
        "delete foreign": attempt(s3.delete_object, Bucket=BUCKET, Key=foreign),
        "list foreign": attempt(s3.list_objects_v2, Bucket=BUCKET, Prefix=f"v1/{other}/"),
        "list beginning": attempt(s3.list_objects_v2, Bucket=BUCKET, Prefix=f"v1/{site[:1]}"),
        "list all": attempt(s3.list_objects_v2, Bucket=BUCKET),
        "copy foreign": attempt(
            s3.copy_object, Bucket=BUCKET, Key=f"{place}/thumb.jpg", CopySource={"Bucket": BUCKET, "Key": foreign}
        ),
        "other bucket": attempt(s3.put_object, Bucket="other", Key=f"{place}/thumb.jpg", Body=b"x"),
        "make bucket": attempt(s3.create_bucket, Bucket="mine"),
        "no key of ours": attempt(s3.put_object, Bucket=BUCKET, Key=f"v1/{site}/notes.txt", Body=b"x"),
        "traversal": attempt(s3.put_object, Bucket=BUCKET, Key=f"v1/{site}/../{other}/x.jpg", Body=b"x"),
        "wrong sum": attempt(
            s3.put_object,
            Bucket=BUCKET,
            Key=f"{place}/crop.jpg",
            Body=b"x",
            ChecksumSHA256=base64.b64encode(b"0" * 32).decode(),
        ),
        "wrong secret": attempt(client(password="wrong").get_object, Bucket=BUCKET, Key=own),
        "unknown site": attempt(client(key="nobody").get_object, Bucket=BUCKET, Key=own),
        "hub's own user": attempt(client(key="_hub").get_object, Bucket=BUCKET, Key=own),
        "version 2": attempt(client(config=version_2).get_object, Bucket=BUCKET, Key=own),
        "version 2, put": attempt(
            client(config=version_2).put_object, Bucket=BUCKET, Key=f"{place}/thumb.jpg", Body=b"x"
        ),
        "crop not there": attempt(s3.head_object, Bucket=BUCKET, Key=f"{place}/crop.jpg"),
    }

    def signed_at(shift):
        """Asks with a signature of another time. The error's code, or "done"."""
        request = AWSRequest("GET", f"{endpoint}/{BUCKET}/{own}")
        signer = S3SigV4Auth(Credentials(site, secret), "s3", "us-east-1")
        with unittest.mock.patch("botocore.auth.get_current_datetime") as now:
            now.return_value = datetime.datetime.now(datetime.UTC) + shift
            signer.add_auth(request)
        asked = urllib.request.Request(request.url, headers=dict(request.headers))
        try:
            with urllib.request.urlopen(asked, timeout=10):
                return "done"
        except urllib.error.HTTPError as error:
            return str(error.code)

    for minutes in (-20, 20):
        refused[f"signed {minutes} minutes off"] = signed_at(datetime.timedelta(minutes=minutes))

    host = urllib.parse.urlparse(endpoint).netloc

    def raw(method, path, headers=None, body=b""):
        connection = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(body)
            answer = connection.getresponse()
            return "done" if answer.status < 300 else str(answer.status)
        except OSError as error:
            return type(error).__name__
        finally:
            connection.close()

    refused["anonymous"] = raw("GET", f"/{BUCKET}/{own}")
    refused["anonymous list"] = raw("GET", f"/{BUCKET}?list-type=2&prefix=v1/")
    put = s3.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": f"{place}/crop.jpg"})
    refused["presigned put"] = raw("PUT", put.removeprefix(endpoint), {"Content-Length": "4"}, b"body")

    def signed_put(length):
        """Path and headers of an upload of that length, signed in its head."""
        request = AWSRequest("PUT", f"{endpoint}/{BUCKET}/{place}/crop.jpg", data=b"x" * min(length, 1000))
        request.headers["Content-Length"] = str(length)
        S3SigV4Auth(Credentials(site, secret), "s3", "us-east-1").add_auth(request)
        return f"/{BUCKET}/{place}/crop.jpg", dict(request.headers)

    refused["oversize"] = raw("PUT", *signed_put(10**9))
    path, headers = signed_put(1000)
    cut = http.client.HTTPConnection(host, timeout=10)
    cut.putrequest("PUT", path)
    for name, value in headers.items():
        cut.putheader(name, value)
    cut.endheaders()
    cut.send(b"half")
    cut.close()
    refused["truncated"] = attempt(s3.head_object, Bucket=BUCKET, Key=f"{place}/crop.jpg")
    get = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": own})
    early = client(config=version_2).generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": own})
    refused["version 2, presigned"] = raw("GET", early.removeprefix(endpoint))
    refused["presigned for another key"] = raw("GET", get.removeprefix(endpoint).replace(own, foreign))

    def ranged():
        request = urllib.request.Request(get, headers={"Range": "bytes=0-6"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 206 and answer.read() == b"#EXTM3U", answer.status

    def round_trip():
        key = f"{place}/thumb.jpg"
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"picture")
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"picture"
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"v1/{site}/")["Contents"]]
        assert key in keys and keys == sorted(keys), keys
        s3.delete_object(Bucket=BUCKET, Key=key)

    allowed = {
        "signed 5 minutes off": signed_at(datetime.timedelta(minutes=-5)),
        "own": attempt(s3.get_object, Bucket=BUCKET, Key=own),
        "presigned with a range": attempt(ranged),
        "put, get, list, delete": attempt(round_trip),
    }
    print(json.dumps({"refused": refused, "allowed": allowed}))


main()

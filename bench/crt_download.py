"""Downloads keys with s3transfer over the AWS Common Runtime, which is what the aws cli v2 does when it is told to prefer CRT
(PyPI has the cli v1 alone): `crt_download.py ENDPOINT CA_FILE|- BUCKET FOLDER KEY...`. Credentials come from the environment."""

import os
import sys

import botocore.session
from awscrt.auth import AwsCredentialsProvider
from s3transfer.crt import BotocoreCRTRequestSerializer, CRTTransferManager, create_s3_crt_client

endpoint, ca, bucket, folder, *keys = sys.argv[1:]
region = os.environ["AWS_DEFAULT_REGION"]
tls = {"verify": ca} if ca != "-" else {"use_ssl": False}
client = create_s3_crt_client(
    region,
    AwsCredentialsProvider.new_static(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]),
    **tls,
)
serializer = BotocoreCRTRequestSerializer(
    botocore.session.get_session(), {"region_name": region, "endpoint_url": endpoint}
)
with CRTTransferManager(client, serializer) as manager:
    futures = []
    for key in keys:
        target = os.path.join(folder, key)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        futures.append(manager.download(bucket, key, target))
    for future in futures:
        future.result()

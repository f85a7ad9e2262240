"""Registers 10,000 versions of one model over HTTP. Standard library only."""

import concurrent.futures
import http.client
import json
import sys
import threading
import time
import urllib.parse

VERSIONS = 10_000
CONNECTIONS = 16
HEADERS = {"Content-Type": "application/json"}


def main():
    url = urllib.parse.urlparse(sys.argv[1])
    local = threading.local()

    def register(number):
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(url.hostname, url.port)
        version = f"{number // 100}.{number % 100}.0"
        body = {"model_name": "bench", "version": version, "hyperparameters": {"seed": number}}
        local.connection.request("POST", "/governance/models/register", json.dumps(body), HEADERS)
        answer = local.connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            raise SystemExit(f"{version}: {answer.status} {text.decode()}")

    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as threads:
        for _ in threads.map(register, range(VERSIONS)):
            pass
    took = time.perf_counter() - begun
    print(f"{VERSIONS} versions registered in {took:.1f} s ({VERSIONS / took:.0f} a second)")


main()

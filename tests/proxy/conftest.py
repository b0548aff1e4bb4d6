import pytest_asyncio

from tests.proxy.cluster import running_cluster, short_folder


@pytest_asyncio.fixture
async def cluster():
    with short_folder() as folder:
        async with running_cluster(folder) as found:
            yield found

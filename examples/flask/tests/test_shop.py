import pytest

from shop import VERSION, app, total


@pytest.fixture
def client():
    return app.test_client()


def test_home_lists_what_is_sold(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "Hello from Slipway" in page.text
    assert "coffee" in page.text


def test_health_tells_the_version(client):
    assert client.get("/healthz").json == {"status": "ok", "version": VERSION}


def test_an_order_has_a_price():
    assert total({"tea": 2, "coffee": 1}) == 10


def test_only_what_is_sold_can_be_ordered():
    with pytest.raises(KeyError):
        total({"bicycle": 1})

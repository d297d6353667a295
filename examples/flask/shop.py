"""A shop with two pages, small enough to read in a minute."""

from flask import Flask, jsonify

app = Flask(__name__)

VERSION = "1"
GREETING = "Hello from Slipway"
PRICES = {"tea": 3, "coffee": 4}


def total(order):
    """What an order of {item: how many} costs. KeyError for what isn't sold."""
    return sum(PRICES[item] * count for item, count in order.items())


@app.get("/")
def home():
    items = "".join(f"<li>{name}: {price}</li>" for name, price in PRICES.items())
    return f"<h1>{GREETING}</h1><ul>{items}</ul><p>Version {VERSION}</p>"


@app.get("/healthz")
def healthz():
    return jsonify(status="ok", version=VERSION)

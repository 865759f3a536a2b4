"""The official SDK for Python against a running server: python_sdk.py ADDRESS KEY."""

import sys
import time

import stripe

ADDRESS, KEY = sys.argv[1:3]
FOUND_WITHIN_S = 60


def client(key):
    return stripe.StripeClient(key, base_addresses={"api": ADDRESS}, max_network_retries=0).v1


v1 = client(KEY)


def charge(**more):
    params = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "payment_method_types": ["card"]}
    return v1.payment_intents.create({**params, **more})


def refused(kind, call, **expected):
    try:
        call()
    except kind as error:
        for name, value in expected.items():
            assert getattr(error, name) == value, (name, getattr(error, name), value)
        return error
    raise AssertionError(f"no {kind.__name__}")


def paged_both_ways(service):
    forwards = [one.id for one in service.list({"limit": 2}).auto_paging_iter()]
    assert len(set(forwards)) == len(forwards) >= 5, forwards
    backwards = [one.id for one in service.list({"limit": 2, "ending_before": forwards[-1]}).auto_paging_iter()]
    assert backwards == forwards[-2::-1], (forwards, backwards)


def charges():
    paid = charge(description="one line", metadata={"order": "42"}, expand=["latest_charge"])
    assert paid.status == "succeeded" and paid.metadata["order"] == "42" and paid.description == "one line"
    assert paid.latest_charge.paid and paid.latest_charge.balance_transaction.startswith("txn_")
    assert paid.customer is None and paid.automatic_payment_methods is None
    held = charge(capture_method="manual")
    assert v1.payment_intents.capture(held.id).status == "succeeded"
    other = v1.payment_intents.create({"amount": 1000, "currency": "eur"})
    assert v1.payment_intents.cancel(other.id).cancellation_reason is None
    refused(stripe.InvalidRequestError, lambda: v1.payment_intents.capture(other.id), code="payment_intent_unexpected_state")
    late = v1.payment_intents.create({"amount": 1000, "currency": "eur"})
    assert v1.payment_intents.confirm(late.id, {"payment_method": "pm_card_mastercard"}).status == "succeeded"
    declined = refused(stripe.CardError, lambda: charge(payment_method="pm_card_visa_chargeDeclined")).error.payment_intent
    assert declined.payment_method is None and declined.last_payment_error.payment_method.card.last4 == "0002"
    paid = v1.payment_intents.confirm(declined.id, {"payment_method": "pm_card_mastercard"})
    second, first = v1.charges.list({"payment_intent": declined.id}).data
    assert (first.id, second.id) == (declined.latest_charge, paid.latest_charge)
    assert (first.status, first.failure_code, second.status) == ("failed", "card_declined", "succeeded")
    assert v1.charges.retrieve(second.id, {"expand": ["payment_intent"]}).payment_intent.id == declined.id


def errors():
    declined = refused(stripe.CardError, lambda: charge(payment_method="pm_card_visa_chargeDeclined"), code="card_declined", http_status=402)
    assert declined.error.decline_code == "generic_decline" and declined.error.payment_method.card.last4 == "0002"
    assert declined.error.payment_intent.last_payment_error.code == "card_declined" and declined.user_message
    refused(stripe.InvalidRequestError, lambda: charge(amount=10), code="amount_too_small", param="amount")
    refused(stripe.InvalidRequestError, lambda: v1.refunds.retrieve("re_nope"), code="resource_missing", http_status=404)
    refused(stripe.AuthenticationError, lambda: client("sk_test_wrong").balance.retrieve(), http_status=401)


def keys():
    options = {"idempotency_key": f"python-{time.time()}"}
    make = lambda amount: v1.payment_intents.create({"amount": amount, "currency": "usd"}, options)
    one, again = make(1000), make(1000)
    headers = {name.lower(): value for name, value in again.last_response.headers.items()}
    assert one.id == again.id and headers["idempotent-replayed"] == "true"
    refused(stripe.IdempotencyError, lambda: make(1001), http_status=400)


def lists():
    for _ in range(5):
        v1.refunds.create({"payment_intent": charge(metadata={"batch": "python"}).id, "amount": 100})
    paged_both_ways(v1.payment_intents)
    paged_both_ways(v1.refunds)
    now = int(time.time())
    assert v1.refunds.list({"created": {"gte": now - 3600}}).data
    deadline, found = time.monotonic() + FOUND_WITHIN_S, []
    while len(found) < 5 and time.monotonic() < deadline:
        query = {"query": "metadata['batch']:'python'", "limit": 2}
        found = [one.id for one in v1.payment_intents.search(query).auto_paging_iter()]
    assert len(set(found)) == 5, found


def clocks():
    """A customer on a test clock: an authorization lapses once the clock has been set forward."""
    begin, day = 1577836800, 86400
    clock = v1.test_helpers.test_clocks.create({"frozen_time": begin, "name": "python"})
    customer = v1.customers.create({"name": "Ann", "test_clock": clock.id})
    assert customer.created == begin and customer.test_clock == clock.id
    intent = charge(customer=customer.id, capture_method="manual")
    assert (intent.status, intent.created) == ("requires_capture", begin)
    assert v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": begin + 8 * day}).status == "advancing"
    deadline = time.monotonic() + 60
    while v1.test_helpers.test_clocks.retrieve(clock.id).status != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert v1.payment_intents.retrieve(intent.id).canceled_at == begin + 7 * day
    refused(stripe.InvalidRequestError, lambda: v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": begin}), code="test_clock_backwards")
    assert [one.id for one in v1.customers.list({"test_clock": clock.id}).data] == [customer.id]
    assert v1.test_helpers.test_clocks.delete(clock.id).deleted
    assert v1.customers.retrieve(customer.id).deleted


def one_by_one():
    """The older way: a module with a key, objects with methods."""
    stripe.api_key, stripe.api_base = KEY, ADDRESS
    intent = stripe.PaymentIntent.create(amount=1234, currency="eur", payment_method="pm_card_visa", confirm=True, payment_method_types=["card"])
    intent.refresh()
    assert intent.status == "succeeded"
    assert stripe.Refund.create(payment_intent=intent.id).status == "succeeded"
    assert stripe.Balance.retrieve().object == "balance"
    assert stripe.Account.retrieve().id.startswith("acct_")


for step in [charges, errors, keys, lists, clocks, one_by_one]:
    step()

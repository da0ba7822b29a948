"""Faults that strike before a request is looked at: refusals, throttling, HTML, resets."""

from extract.standin.faults import Fault
from extract.standin.refusals import Refusal, Shape, error_body, throttled
from extract.standin.switches import Switches
from extract.standin.wire import Answer, json_answer

HTML = "<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>proxy</body></html>"


def outage(fault: Fault, switches: Switches, request_id: str) -> Answer | None:
    """The answer that the fault gives instead; None where it gives none."""
    match fault.kind:
        case "status":
            return _status(fault, request_id)
        case "throttle":
            return _throttle(fault, switches, request_id)
        case "html":
            return _html(int(fault.number("status", 502)))
        case "redirect":
            location = fault.text("location", "http://127.0.0.1:9/elsewhere")
            return Answer(int(fault.number("status", 302)), headers={"Location": location})
        case "reset":
            return Answer(0, reset=True, error_code="reset")
        case _:
            return None


def _status(fault: Fault, request_id: str) -> Answer:
    status = int(fault.number("status", 500))
    code = fault.text("error_code", "LIVE.100011005")
    message = fault.text("error_msg", "ordered by a fault")
    shape = fault.text("body_shape", "live")
    if shape == "html":
        return _html(status)
    bodies: dict[str, object] = {
        "code_message": {"code": code, "message": message},
        "camel": {"errorCode": code, "errorMsg": message},
    }
    if shape in {"live", "gateway", "iam"}:
        answer = json_answer(error_body(Shape(shape), status, code, message, request_id), status)
    elif shape == "text":
        answer = Answer(status, message.encode(), content_type="text/plain")
    else:
        answer = json_answer(bodies[shape], status) if shape in bodies else Answer(status)
    answer.error_code = code
    return _with_retry_after(answer, fault)


def _throttle(fault: Fault, switches: Switches, request_id: str) -> Answer:
    if fault.text("as", "429") == "429":
        refusal = throttled(switches.traffic_per_minute)
    else:
        message = "The number of concurrent API requests exceeds the upper limit"
        refusal = Refusal(Shape.LIVE, 500, "LIVE.100011007", message)
    return _with_retry_after(refusal.answer(switches, request_id), fault)


def _html(status: int) -> Answer:
    body = HTML.format(status=status).encode()
    return Answer(status, body, error_code="html", content_type="text/html")


def _with_retry_after(answer: Answer, fault: Fault) -> Answer:
    if fault.options.get("retry_after") is not None:
        answer.headers["Retry-After"] = fault.text("retry_after", "")
    return answer

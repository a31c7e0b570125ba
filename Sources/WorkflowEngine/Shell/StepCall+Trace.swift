import SagaCore
import Values

extension StepCall {
  /// W3C Trace Context: the trace is the saga, the span is the attempt.
  var traceparent: String {
    let trace = saga.description.filter { $0 != "-" }
    let span = Digest.hex(Array("\(idempotencyKey)/\(attempt)".utf8)).prefix(16)
    return "00-\(trace)-\(span)-01"
  }
}

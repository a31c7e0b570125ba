import JSON
import Messaging
import SagaCore
import Values
import WorkflowEngine

/// A participant's answer after parsing.
struct KafkaReply: Sendable {
  /// The idempotency key of the answered command: `SAGA/STEP/ROUND`, with `/undo` after it for an undo.
  let key: String
  let saga: UniqueID
  let step: String
  let round: Int
  let phase: StepPhase
  let attempt: Int
  let id: String
  /// The id that an older version would have given it.
  let formerID: String
  /// The outcome; nil for progress.
  let outcome: StepOutcome?
  let progress: StepProgress?

  init(_ inbound: InboundMessage) throws(Poison) {
    guard let body = inbound.body.objectValue else {
      throw Self.malformed("an answer is an object, not \(inbound.body.kind)")
    }
    let written = try Self.text("idempotencyKey", in: body)
    guard let key = inbound.message.header("idempotency-key") ?? written else {
      throw Self.malformed("it has no idempotency-key, so it answers nothing")
    }
    guard let parts = IdempotencyKey.Parts(key) else {
      throw Self.malformed("its idempotency-key “\(key.prefix(200))” is none of ours, as SAGA/STEP/ROUND")
    }
    let attemptText = inbound.message.header("saga-attempt") ?? body["attempt"].map { $0.stringValue ?? $0.text() }
    guard let attempt = attemptText.flatMap({ Int($0) }), attempt >= 1 else {
      throw Self.malformed("it has no saga-attempt, a whole number from 1")
    }
    saga = parts.saga
    round = parts.round
    self.attempt = attempt
    step = parts.step
    phase = parts.phase
    // The key is in the engine's spelling, whatever the participant's spelling.
    self.key =
      phase == .undo
      ? IdempotencyKey.undo(saga: saga, step: step, round: round)
      : IdempotencyKey.forward(saga: saga, step: step, round: round)
    id = inbound.identity
    formerID = inbound.formerIdentity
    switch body["outcome"]?.stringValue {
    case "succeeded": (outcome, progress) = (.succeeded(body["output"] ?? .null), nil)
    case "failed": (outcome, progress) = (.failed(try Self.failure(body, isRetryable: false)), nil)
    case "unknown": (outcome, progress) = (.unknown(try Self.failure(body, isRetryable: true)), nil)
    case "progress":
      outcome = nil
      progress = StepProgress(
        message: (try Self.text("message", in: body)) ?? "",
        fraction: try Self.member("fraction", in: body, "a number") { $0.doubleValue })
    default:
      throw Self.malformed("its “outcome” is none of succeeded, failed, unknown and progress")
    }
  }

  private static let longestRetryAfter = 86_400_000

  private static func failure(_ body: JSONObject, isRetryable: Bool) throws(Poison) -> StepFailure {
    guard let code = body["code"]?.stringValue, (1...200).contains(code.unicodeScalars.count) else {
      throw malformed("a failure says its “code”, of 1 to 200 characters")
    }
    let retryAfter = try member("retryAfterMs", in: body, "a whole number from 0") { value in
      value.intValue.flatMap { $0 >= 0 ? Duration.milliseconds(min($0, longestRetryAfter)) : nil }
    }
    // Operators read a participant's words for years. The limit is long enough to help.
    let message = ParticipantText.oneLine((try text("message", in: body)) ?? "", most: 1_000)
    let failure = StepFailure(
      code: code, classes: ["kafka.answer"], message: message.isEmpty ? code : message,
      isRetryable: (try flag("retryable", in: body)) ?? isRetryable, retryAfter: retryAfter,
      isGone: (try flag("gone", in: body)) ?? false)
    return failure.answered(by: CallAnswer(excerpt: CallExcerpt(of: .object(body))))
  }

  // MARK: Members

  // A member of another type is not treated as missing, because “gone” and “retryable” decide what the engine does.

  private static func text(_ name: String, in body: JSONObject) throws(Poison) -> String? {
    try member(name, in: body, "a string") { $0.stringValue }
  }

  private static func flag(_ name: String, in body: JSONObject) throws(Poison) -> Bool? {
    try member(name, in: body, "true or false") { $0.boolValue }
  }

  private static func member<Value>(
    _ name: String, in body: JSONObject, _ wanted: String, _ read: (JSON) -> Value?
  ) throws(Poison) -> Value? {
    guard let value = body[name], !value.isNull else { return nil }
    guard let read = read(value) else { throw malformed("its “\(name)” must be \(wanted)") }
    return read
  }

  private static func malformed(_ what: String) -> Poison {
    Poison(EngineErrorCode.replyMalformed, "The answer can't be read: \(what).")
  }
}

import JSON
import Values

/// Reads `retry`: one policy, or a list of them.
struct RetryReader {
  let report: Report

  /// The values that a policy gives. Missing values come from another policy.
  struct Spoken {
    var on: [String]?
    var maxAttempts: Int?
    var initialInterval: Duration?
    var backoffCoefficient: Double?
    var maxInterval: Duration?
    var jitter: Double?
    var nonRetryable: [String]?

    func filled(from other: RetryPolicy) -> RetryPolicy {
      let first = initialInterval ?? other.initialInterval
      return RetryPolicy(
        on: on, maxAttempts: maxAttempts ?? other.maxAttempts, initialInterval: first,
        backoffCoefficient: backoffCoefficient ?? other.backoffCoefficient,
        // A file that only sets a first interval of 5 minutes does not mean a lower maximum.
        maxInterval: maxInterval ?? max(other.maxInterval, first), jitter: jitter ?? other.jitter,
        nonRetryable: nonRetryable ?? other.nonRetryable)
    }
  }

  private static let keys = [
    "maxAttempts", "initialInterval", "backoffCoefficient", "maxInterval", "jitter", "nonRetryable",
  ]

  /// - Parameters:
  ///   - json: an object or a list.
  ///   - base: gives the values that a policy leaves out. It is used when no policy of a list matches.
  func rules(_ json: JSON, at pointer: JSONPointer, base: RetryPolicy) -> RetryRules {
    guard case .array(let values) = json else {
      return RetryRules(policies: [policy(json, at: pointer, inList: false, base: base)], fallback: base)
    }
    if values.isEmpty { report.rule(WorkflowErrorCode.badValue, "\"retry\" is an empty list", at: pointer) }
    let policies = values.enumerated().map { index, value in
      policy(value, at: pointer.appending(index), inList: true, base: base)
    }
    return RetryRules(policies: policies, fallback: base)
  }

  private func policy(_ json: JSON, at pointer: JSONPointer, inList: Bool, base: RetryPolicy) -> RetryPolicy {
    let keys = inList ? ["on"] + Self.keys : Self.keys
    guard
      let reader = ObjectReader(
        json, at: pointer, what: "a retry policy", keys: keys, meant: Meant.retry, report: report)
    else { return base }
    var spoken = Spoken()
    if inList {
      if !reader.has("on") { reader.missing("on", of: "a retry policy in a list") }
      spoken.on = patterns(reader, "on", atLeast: 1)
    }
    spoken.maxAttempts = reader.integer(
      "maxAttempts", in: 1...1_000, meaning: "a whole number from 1 to 1000; 1 means never again")
    spoken.initialInterval = reader.duration("initialInterval", positive: false)
    spoken.backoffCoefficient = reader.number(
      "backoffCoefficient", in: 1...1_000, meaning: "a number from 1 to 1000; 1 means that pauses don't grow")
    spoken.maxInterval = reader.duration("maxInterval", positive: false)
    spoken.jitter = reader.number("jitter", in: 0...1, meaning: "a number from 0 to 1")
    spoken.nonRetryable = patterns(reader, "nonRetryable", atLeast: 0) { text, pointer in
      warnOfWaitingAnswers(text, at: pointer)
    }
    let policy = spoken.filled(from: base)
    if spoken.maxInterval != nil, policy.maxInterval < policy.initialInterval {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"maxInterval\" (\(DurationText.format(policy.maxInterval))) is shorter than \"initialInterval\" "
          + "(\(DurationText.format(policy.initialInterval)))", at: reader.pointer(to: "maxInterval"))
    }
    return policy
  }

  /// The answers of the class 4xx that ask for another attempt.
  private static let waitingAnswers = ["http.408", "http.425", "http.429"]

  /// Warns of a class in `nonRetryable` that contains the answers that ask for another attempt.
  private func warnOfWaitingAnswers(_ text: String, at pointer: JSONPointer) {
    let hit = Self.waitingAnswers.filter { RetryPolicy.matches(text, codes: [$0, "http.4xx"]) }
    guard !hit.isEmpty, !Self.waitingAnswers.contains(text) else { return }
    report.warning(
      WorkflowErrorCode.turnsOffRetry,
      "\"\(text)\" also makes \(hit.joined(separator: ", ")) final, which ask for another attempt (too many requests, "
        + "too early, timeout): leave it out, because the others of 4xx are final anyway, or name single codes",
      at: pointer)
  }

  /// Warns of a status without `http.`, as `409` or `4xx`: no failure of a call has such a code.
  private func warnOfBareStatus(_ text: String, at pointer: JSONPointer) {
    let lower = text.lowercased()
    let isStatus = lower.utf8.count == 3 && ActionReader.range(lower) != nil
    guard isStatus || lower == "4*" || lower == "5*" else { return }
    report.warning(
      WorkflowErrorCode.noEffect, "\"\(text)\" is the code of no failure: the code of an HTTP status begins with http.",
      at: pointer, near: "http.\(isStatus ? lower : lower.replacing("*", with: "xx"))")
  }

  /// - Parameter check: gets each pattern with its place.
  private func patterns(
    _ reader: ObjectReader, _ name: String, atLeast least: Int, _ check: (String, JSONPointer) -> Void = { _, _ in }
  ) -> [String]? {
    guard let texts = reader.texts(name, atLeast: least) else { return nil }
    for (text, pointer) in texts where text.isEmpty || text.utf8.dropLast().contains(UInt8(ascii: "*")) {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"\(name)\" holds error codes, as QC_FAILED, http.409, http.4xx or http.*; a * stands only at the end",
        at: pointer)
    }
    for (text, pointer) in texts {
      warnOfBareStatus(text, at: pointer)
      check(text, pointer)
    }
    return texts.map(\.text)
  }
}

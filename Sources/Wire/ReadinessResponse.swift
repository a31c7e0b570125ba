import JSON
import Values

/// The answer of `GET /readyz` from an engine that takes requests.
public struct ReadinessResponse: WireValue {
  /// `ready`, or `degraded` with reasons.
  public let status: String
  public let reasons: [CodeAndMessage]

  public init(status: String, reasons: [CodeAndMessage] = []) {
    self.status = status
    self.reasons = reasons
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    status = try members.text("status")
    reasons = try members.listIfAny("reasons") ?? []
  }

  public var json: JSON {
    .members([
      "status": .string(status), "reasons": .listIfAny(reasons),
    ])
  }
}

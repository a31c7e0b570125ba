import HTTP
import JSON
import Persistence
import Runtime
import Values
import Wire
import WorkflowEngine

// The audit: people's acts, and the check whether stored events were changed.
extension API {
  var auditRoutes: [Route] {
    [
      Route(.listActs, listActs),
      Route(.auditHead, showHead),
      Route(.verifyAudit, verify),
    ]
  }

  private func listActs(_ call: Call) async throws -> HTTPServerResponse {
    var filter = AuditFilter()
    let saga = try call.query.text("saga")
    if let saga {
      guard let id = UniqueID(saga) else { throw Self.invalid("saga", "a saga's id", saga) }
      filter.saga = id
    }
    let actor = try call.query.text("actor")
    filter.actor = try call.query.text("by") ?? actor
    if let actor, filter.actor?.hasSameScalars(as: actor) == false {
      throw Self.invalid("actor", "left out, or the same as \(quoted("by"))", actor)
    }
    filter.verb = try call.query.text("verb")
    filter.from = try timestamp("from", call)
    filter.to = try timestamp("to", call)
    let order = try call.query.choice("sort", AuditOrder.self)
    filter.isNewestFirst = order == .newest
    let limit = try call.query.integer("limit", in: 1...200, default: 50)
    let cursor = SealedCursor(
      list: "audit",
      filters: [
        filter.saga?.description, filter.actor, filter.verb, filter.from?.description, filter.to?.description,
      ] + (filter.isNewestFirst ? [AuditOrder.newest.rawValue] : []))
    let after = try cursor.document(call.query.text("cursor"))
    let page = try await engine.audit(filter, after: after, limit: limit)
    return .json(
      .members([
        "acts": .array(page.entries.map(\.json)), "next": .text(page.next.map { cursor.seal("\($0.sort)|\($0.id)") }),
      ]))
  }

  /// The values of the parameter `sort`.
  private enum AuditOrder: String, CaseIterable {
    case oldest = "at"
    case newest = "-at"
  }

  private func timestamp(_ name: String, _ call: Call) throws(Problem) -> Timestamp? {
    guard let text = try call.query.text(name) else { return nil }
    guard let time = Timestamp(text) else { throw Self.invalid(name, "a time as 2026-03-01T08:15:45Z", text) }
    return time
  }

  private static func invalid(_ name: String, _ wanted: String, _ value: String) -> Problem {
    Problem(
      Fault(
        ServerErrorCode.parameterInvalid, "The parameter \(quoted(name)) must be \(wanted), not \(quoted(value)).",
        parameter: name))
  }

  private func showHead(_ call: Call) async throws -> HTTPServerResponse { .json(try await engine.auditHead().json) }

  private func verify(_ call: Call) async throws -> HTTPServerResponse {
    var body = try BodyReader(call.request)
    let value = body.value("head", isRequired: false)
    let pem = body.text("publicKey", isRequired: value != nil, atMost: 2_000)
    if value == nil, pem != nil { body.refuse("publicKey", "goes with a head only") }
    let key = pem.flatMap { VerifyingKey(pem: Array($0.utf8)) }
    if pem != nil, key == nil { body.refuse("publicKey", "must be an Ed25519 public key in PEM") }
    try body.finish()
    var head: AuditHead?
    if let value, let key {
      let read = try AuditHead(value)
      try read.verify(with: key)
      head = read
    }
    return .json(try await engine.auditVerify(against: head).json)
  }
}

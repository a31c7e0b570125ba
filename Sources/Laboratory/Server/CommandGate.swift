import HTTP
import JSON
import Persistence
import Runtime
import Values

/// Applies faults to every command, over HTTP and over Kafka. For commands over HTTP it also reads the key and the body,
/// and turns refusals into problems.
struct CommandGate: Sendable {
  let faults: ActiveFaults
  let log: Log

  static func notAnID(_ text: String) -> LabRefusal {
    LabRefusal(LabErrorCode.invalid, status: 400, "“\(text)” must be a UUID.")
  }

  static func id(_ parameters: PathParameters, _ name: String = "id") throws -> UniqueID {
    let text = try parameters.value(name)
    guard let id = UniqueID(text) else { throw notAnID(text) }
    return id
  }

  /// Carries out a command, unless a fault prevents it.
  func carryOut(_ command: ServiceCommand, _ received: ReceivedCommand) async throws -> CommandOutcome {
    let strike = faults.strike(command.service, command.name, texts: received.texts)
    if strike != nil {
      log.warning(
        "A fault applies to a command", ("command", "\(command.service.rawValue).\(command.name)"),
        ("key", received.call.key))
    }
    switch strike {
    case .fail(let code): throw LabRefusal(code, status: 409, "Refused by a fault that was set.")
    case .status(let status):
      throw LabRefusal(LabErrorCode.injected, status: status, "Failed by a fault that was set.")
    case .timeout: return .withheld
    case .slow(let duration): try await faults.wait(duration)
    case .dropAnswer, nil: break
    }
    let answer = try await command.carryOut(received)
    return strike == .dropAnswer ? .answerDropped : .answered(answer)
  }

  /// Makes commands reachable over HTTP.
  func route(_ commands: [ServiceCommand], in router: inout Router) {
    for command in commands {
      for route in command.routes {
        router.on(route.method, route.pattern) { request, path in
          try await answer(request, command, route.parameters.map { ($0, try path.value($0)) })
        }
      }
    }
  }

  private func answer(
    _ request: HTTPServerRequest, _ command: ServiceCommand, _ parameters: [(String, String)]
  ) async throws -> HTTPServerResponse {
    try await problems {
      let queried = command.query.compactMap { name in request.query(name).map { (name, $0) } }
      let received = try Self.receive(command.service, request, Dictionary(parameters + queried) { first, _ in first })
      switch try await carryOut(command, received) {
      case .answered(let answer): return .json(answer.body, status: answer.status)
      case .answerDropped: return .hangUp
      case .withheld:
        await faults.hold()
        throw Self.noAnswer
      }
    }
  }

  /// The answer to a held call when the laboratory closes, so that the caller doesn't read it as a refusal.
  private static let noAnswer = LabRefusal(
    LabErrorCode.injected, status: 504, "The answer was withheld by a fault that was set.")

  func query(_ answer: () async throws -> JSON) async throws -> HTTPServerResponse {
    try await problems { .json(try await answer()) }
  }

  /// Turns a service's errors into problems. An unexpected error goes to the router, which logs it.
  func problems(_ work: () async throws -> HTTPServerResponse) async throws -> HTTPServerResponse {
    do {
      return try await work()
    } catch let refusal as LabRefusal {
      throw Problem(
        refusal.status, refusal.code, detail: refusal.message,
        errors: refusal.places.map { ["pointer": .string($0.pointer), "message": .string($0.message)] })
    } catch let error as Fault.ParseError {
      throw Problem(422, error.code, detail: error.message, members: ["column": .int(error.column)])
    } catch let error as StoreError
      where [.unavailable, .outcomeUnknown, .notOwner, .closed].contains(error.kind)
    {
      log.error("The store is unavailable; the client is asked to retry", ("error", error.description))
      throw Problem(
        503, error.kind == .closed ? LabErrorCode.stopping : error.code, detail: error.message,
        headers: ["Retry-After": "1"])
    }
  }

  private static func receive(
    _ service: LabService, _ request: HTTPServerRequest, _ parameters: [String: String]
  ) throws -> ReceivedCommand {
    guard let key = request.headers["Idempotency-Key"], !key.isEmpty else {
      throw LabRefusal(
        LabErrorCode.keyMissing, status: 400,
        "A command needs the header Idempotency-Key, so that a repeat is harmless.")
    }
    func header(_ name: String) throws(LabRefusal) -> String? {
      guard let value = request.headers[name], !value.isEmpty else { return nil }
      return try CommandCall.checked(name, value)
    }
    let body = try body(of: request)
    return ReceivedCommand(
      call: CommandCall(
        service: service, key: try CommandCall.checked("Idempotency-Key", key), compensates: try header("Compensates"),
        digest: CommandCall.digest(method: request.method, path: request.path, body: body),
        userID: try header("User-Id"), tenantID: try header("Tenant-Id"), correlationID: try header("Saga-Id")),
      body: body, parameters: parameters)
  }

  /// Returns the body as JSON; nil when there is none.
  static func body(of request: HTTPServerRequest) throws -> JSON? {
    if request.body.isEmpty { return nil }
    let type = request.headers["Content-Type"]?.split(separator: ";").first?.lowercased() ?? "application/json"
    guard type == "application/json" || type.hasSuffix("+json") else {
      throw Problem(415, HTTPErrorCode.unsupportedMediaType, detail: "The body must be application/json, not \(type).")
    }
    do {
      return try JSON(parsing: request.body)
    } catch {
      throw LabRefusal(
        LabErrorCode.notJSON, status: 400,
        "The body is not JSON: line \(error.line), column \(error.column): \(error.message)")
    }
  }
}

import HTTP
import JSON
import Persistence
import Runtime

/// What every command over HTTP passes: its key and body are read, faults strike, refusals become problems.
struct CommandGate: Sendable {
  let faults: FaultBoard
  let log: Log

  /// A command as a service sees it.
  struct Received {
    let call: CommandCall
    let body: JSON?

    /// The id in the path, or, when the path has none, one that the key gives: the same for every repeat.
    func id(_ text: String?) throws(LabRefusal) -> UniqueID {
      guard let text else { return .derived(from: "\(call.service.rawValue)/\(call.key)") }
      guard let id = UniqueID(text) else { throw CommandGate.notAnID(text) }
      return id
    }
  }

  static func notAnID(_ text: String) -> LabRefusal {
    LabRefusal(LabErrorCode.invalid, status: 400, "“\(text)” in the path must be a UUID.")
  }

  static func id(_ parameters: PathParameters, _ name: String = "id") throws -> UniqueID {
    let text = try parameters.value(name)
    guard let id = UniqueID(text) else { throw notAnID(text) }
    return id
  }

  func command(
    _ service: LabService, _ name: String, _ request: HTTPServerRequest,
    _ carryOut: (Received) async throws -> Answer
  ) async throws -> HTTPServerResponse {
    try await problems {
      let received = try Self.receive(service, request)
      let texts = request.segments + (received.body?.objectValue?.compactMap(\.value.stringValue) ?? [])
      let strike = faults.strike(service, name, key: received.call.key, texts: texts)
      if strike != nil {
        log.warning("a fault strikes", ("command", "\(service.rawValue).\(name)"), ("key", received.call.key))
      }
      switch strike {
      case .fail(let code): throw LabRefusal(code, status: 409, "Refused by a fault that was asked for.")
      case .status(let status):
        throw LabRefusal(LabErrorCode.injected, status: status, "Failed by a fault that was asked for.")
      case .timeout:
        await faults.hold()
        throw Self.noAnswer
      case .slow(let duration): try await faults.wait(duration)
      case .dropAnswer, nil: break
      }
      let answer = try await carryOut(received)
      if strike == .dropAnswer {
        faults.lose(service, key: received.call.key, onNewConnection: request.numberOnConnection == 1)
        return .hangUp
      }
      return .json(answer.body, status: answer.status)
    }
  }

  /// Nobody is to take a held call that is let go for one that was refused.
  private static let noAnswer = LabRefusal(
    LabErrorCode.injected, status: 504, "The answer was withheld by a fault that was asked for.")

  func query(_ answer: () async throws -> JSON) async throws -> HTTPServerResponse {
    try await problems { .json(try await answer()) }
  }

  /// Turns what a service throws into problems; what is nobody's fault but ours goes on to the router, which logs it.
  func problems(_ work: () async throws -> HTTPServerResponse) async throws -> HTTPServerResponse {
    do {
      return try await work()
    } catch let refusal as LabRefusal {
      throw Problem(
        refusal.status, refusal.code, detail: refusal.message,
        errors: refusal.places.map { ["pointer": .string($0.pointer), "message": .string($0.message)] })
    } catch let error as Fault.ParseError {
      throw Problem(422, error.code, detail: error.message, members: ["column": .int(error.column)])
    } catch let error as StoreError where error.kind == .unavailable || error.kind == .closed {
      log.error("the store doesn't answer", ("error", error.description))
      throw Problem(
        503, error.kind == .closed ? LabErrorCode.stopping : error.code, detail: error.message,
        headers: ["Retry-After": "1"])
    }
  }

  private static func receive(_ service: LabService, _ request: HTTPServerRequest) throws -> Received {
    guard let key = request.headers["Idempotency-Key"], !key.isEmpty else {
      throw LabRefusal(
        LabErrorCode.keyMissing, status: 400,
        "A command needs the header Idempotency-Key, so that a repeat is harmless.")
    }
    let saga = try header("Saga-Id", request)
    let body = try body(of: request)
    let identity = "\(request.method)\n\(request.path)\n" + (body?.text(.canonical) ?? "")
    return Received(
      call: CommandCall(
        service: service, key: try checked("Idempotency-Key", key), compensates: try header("Compensates", request),
        digest: Digest.hex(Array(identity.utf8)),
        userID: try header("User-Id", request) ?? (saga == nil ? "anonymous" : "saga"),
        tenantID: try header("Tenant-Id", request) ?? "default", correlationID: saga),
      body: body)
  }

  private static func header(_ name: String, _ request: HTTPServerRequest) throws(LabRefusal) -> String? {
    guard let value = request.headers[name], !value.isEmpty else { return nil }
    return try checked(name, value)
  }

  private static func checked(_ name: String, _ value: String) throws(LabRefusal) -> String {
    guard value.utf8.count <= 255, value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw LabRefusal(
        LabErrorCode.keyInvalid, status: 400, "The header \(name) must be 1 to 255 printable ASCII characters.")
    }
    return value
  }

  /// The body as JSON; nil when there is none.
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

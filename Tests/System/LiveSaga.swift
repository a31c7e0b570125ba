import JSON
import TestSupport
import Testing

/// A saga on a live engine, as a LIMS and an operator see it over REST.
struct LiveSaga: Sendable {
  let site: Site
  let engine: SagaProcess
  let id: String

  static func start(
    _ workflow: String, key: String, _ input: JSON, _ site: Site, _ engine: SagaProcess
  ) async throws -> LiveSaga {
    let started = try await site.call(
      "POST", "\(engine.url)/v1/workflows/\(workflow)/sagas", body: ["input": input], headers: ["Idempotency-Key": key])
    #expect(started.status == 201, "\(started.body.text())")
    return LiveSaga(site: site, engine: engine, id: try #require(started.body["id"]?.stringValue))
  }

  /// The same saga on the engine that was started again.
  func on(_ engine: SagaProcess) -> LiveSaga { LiveSaga(site: site, engine: engine, id: id) }

  var url: String { "\(engine.url)/v1/sagas/\(id)" }
  var now: JSON { get async throws { try await site.call("GET", url).body } }

  func step(_ name: String) async throws -> JSON? {
    try await now["steps"]?.arrayValue?.first { $0["id"]?.stringValue == name }
  }

  func waits(at step: String) async throws {
    try await eventually("\(step) waits") { try await self.step(step)?["status"] == "waiting" }
  }

  /// Waits until the undo of a step waits: for a signal, or for the end of its child.
  func waitsToUndo(_ step: String) async throws {
    try await eventually("the undo of \(step) waits") {
      try await self.step(step)?["undo"]?["status"] == "waiting"
    }
  }

  func ends(_ status: String) async throws {
    try await eventually("the saga is \(status)") { try await now["status"]?.stringValue == status }
  }

  func signal(_ name: String, _ body: JSON = [:]) async throws -> Site.Answer {
    try await site.call(
      "POST", "\(url)/signals/\(name)", body: body, headers: ["Idempotency-Key": "\(name)/1", "Saga-User": "ines"])
  }

  /// Sends an operator's verb.
  @discardableResult
  func operate(_ verb: String, _ body: JSON) async throws -> Site.Answer {
    try await site.call("POST", "\(url)/\(verb)", body: body, headers: ["Saga-User": "ines"])
  }

  /// Looks at once, again and again, until the saga has completed.
  func completes(lookingAt step: String) async throws {
    try await eventually("the saga is completed") {
      try await operate("run-now", ["step": .string(step), "reason": "it is due"])
      return try await now["status"] == "completed"
    }
  }

  /// The number of commands that took effect at the laboratory. Each took effect once.
  func effects(at lab: SagaProcess) async throws -> Int? {
    let effects = try await site.call("GET", "\(lab.url)/lab/effects?sagaId=\(id)").body["effects"]?.objectValue
    #expect(effects?.allSatisfy { $0.value == 1 } == true, "\(effects ?? [:])")
    return effects?.count
  }
}

import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

/// A laboratory in process, and the ways in which tests speak to it.
struct LabBench: Sendable {
  let store: any EventStore
  let clock: FakeClock
  let environment: Environment
  let participants: Participants

  init(
    store: (any EventStore)? = nil, faults: String..., layout: LaboratoryLayout = .standard(boxesPerZone: 2)
  ) async throws {
    clock = FakeClock()
    environment = .fake(clock: clock)
    self.store = store ?? MemoryStore(environment: environment)
    participants = try await Participants.open(
      store: self.store, environment: environment, faults: FaultPlan(parsing: faults), layout: layout)
  }

  struct Reply: Sendable, Equatable {
    let status: Int
    let body: JSON
    var code: String? { body["code"]?.stringValue }
  }

  func send(
    _ method: String, _ path: String, _ body: JSON? = nil, key: String? = nil, compensates: String? = nil,
    saga: String? = nil
  ) async throws -> Reply {
    var headers = HTTPHeaders()
    if body != nil { headers["Content-Type"] = "application/json" }
    headers["Idempotency-Key"] = key
    headers["Compensates"] = compensates
    headers["Saga-Id"] = saga
    let request = try HTTPServerRequest(method, path, headers: headers, body: body?.bytes() ?? [])
    let response = await participants.handle(request)
    return Reply(status: response.status, body: try JSON(parsing: try #require(response.body.bytes)))
  }

  static func tube(_ barcode: String, type: String = "blood", temperature: String = "+4") -> JSON {
    [
      "barcode": .string(barcode), "type": .string(type), "volumeMl": 4.5, "temperature": .string(temperature),
      "patientId": "P-1", "priority": "routine", "requestedBy": "a@b.example",
    ]
  }

  static func place(_ sample: String, temperature: String = "+4") -> JSON {
    [
      "sampleId": .string(sample), "type": "blood", "temperature": .string(temperature), "volumeMl": 4.5,
    ]
  }

  static func sample(_ name: String) -> String { "/samples/samples/\(UniqueID.named(name))" }
  static func allocation(_ name: String) -> String { "/storage/allocations/\(UniqueID.named(name))" }
}

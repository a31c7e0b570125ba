import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Messaging

@Suite("A schema registry in trouble", .timeLimit(.minutes(15)), .inTurn)
struct RegistryTroubleTests {
  static let subject = "laboratory.saga.events-value"

  @Test("A call waits during an outage and succeeds after it")
  func outage() async throws {
    try await RegistryBench.run { bench in
      let clock = FakeClock()
      let registry = try bench.registry(clock: clock)
      await bench.standIn.stop()
      async let id = registry.register(subject: Self.subject, schema: SampleSchema.first)
      for _ in 1...2 {
        await clock.waitForSleepers { !$0.isEmpty }
        clock.advance(by: .seconds(60))
      }
      await clock.waitForSleepers { !$0.isEmpty }
      try bench.standIn.start()
      clock.advance(by: .seconds(60))
      #expect(try await id == 1)
      #expect(bench.lines.all.filter { $0.contains("will retry") }.count == 3)
    }
  }

  @Test("A lasting outage is a retriable error; a later call succeeds")
  func lasting() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      await bench.standIn.stop()
      let error = await failure { () throws(RegistryError) in try await registry.schema(id: 1) }
      #expect(error?.code == "schema.registryUnavailable")
      #expect(error?.isRetriable == true)
      #expect(error?.message.contains("tried 5 times") == true)
      // Each pause is longer than the one before, and within its bounds.
      let naps = bench.clock.naps
      #expect(naps.count == 4 && zip(naps, naps.dropFirst()).allSatisfy { $0 < $1 })
      #expect(zip(naps, [200, 400, 800, 1_600]).allSatisfy { $0 <= .milliseconds($1) && $0 > .milliseconds($1 / 2) })

      bench.standIn.put(SampleSchema.first)
      try bench.standIn.start()
      #expect(try await registry.schema(id: 1) == SampleSchema.first)
    }
  }

  @Test("A server's failure is retried", arguments: [500, 502, 503, 429, 408])
  func failing(status: Int) async throws {
    try await RegistryBench.run { bench in
      bench.standIn.put(SampleSchema.first)
      bench.standIn.fail(StandInRegistry.error(50001, "Error in the backend datastore", status: status), .hangUp)
      let again = try bench.registry()
      #expect(try await again.schema(id: 1) == SampleSchema.first)
      #expect(bench.standIn.requests.count == 3)
      #expect(bench.lines.all.contains { $0.contains("Error in the backend datastore") })
    }
  }

  @Test("A lasting error is not retried", arguments: [301, 400, 401, 403, 404])
  func refused(status: Int) async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      bench.standIn.fail(.text("no", status: status))
      let error = await failure { () throws(RegistryError) in try await registry.schema(id: 1) }
      #expect(error?.code == "schema.registryRefused", "a 404 from another server says nothing about the schema")
      #expect(error?.isRetriable == false)
      #expect(error?.message.contains("\(status)") == true)
      #expect(bench.standIn.requests.count == 1)
    }
  }

  @Test("An answer that does not come from a registry is refused")
  func strange() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      bench.standIn.fail(.text("<html>Please log in</html>"), .json(["id": "seven"]), .json(["id": 5_000_000_000]))
      let look = await failure { () throws(RegistryError) in try await registry.schema(id: 1) }
      #expect(look?.code == "schema.registryRefused")
      for _ in 1...2 {
        let error = await failure { () throws(RegistryError) in
          try await registry.register(subject: Self.subject, schema: SampleSchema.first)
        }
        #expect(error?.code == "schema.registryRefused")
        #expect(error?.message.contains("Check the URL.") == true)
      }
    }
  }

  @Test("Concurrent requests for one id make one call")
  func together() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      bench.standIn.put(SampleSchema.first)
      bench.standIn.hold()
      let asking = (1...20).map { _ in Task { try await registry.schema(id: 1) } }
      try await eventually("20 callers wait") { registry.waiting(forSchema: 1) == 20 }
      bench.standIn.release()
      for task in asking { #expect(try await task.value == SampleSchema.first) }
      #expect(bench.standIn.requests == ["GET /schemas/ids/1"])
    }
  }

  // MARK: Who asks

  static let user = "lims"
  static let password = "s3cr:et@/%"
  static let inURL = "lims:s3cr%3Aet%40%2F%25@"

  @Test("Every call has user and password")
  func authorized() async throws {
    try await RegistryBench.run(user: "\(Self.user):\(Self.password)") { bench in
      let registry = try bench.registry("http://\(Self.inURL)127.0.0.1:\(bench.standIn.port)/")
      #expect(try await registry.register(subject: Self.subject, schema: SampleSchema.first) == 1)
      #expect(registry.url == bench.standIn.url)
    }
  }

  @Test("Wrong or missing credentials are refused by the registry", arguments: ["", "lims:wrong@", "lims@"])
  func unauthorized(credentials: String) async throws {
    try await RegistryBench.run(user: "\(Self.user):\(Self.password)") { bench in
      let registry = try bench.registry("http://\(credentials)127.0.0.1:\(bench.standIn.port)")
      let error = await failure { () throws(RegistryError) in
        try await registry.register(subject: Self.subject, schema: SampleSchema.first)
      }
      #expect(error?.code == "schema.registryRefused")
      #expect(error?.message.contains("401 Unauthorized") == true)
    }
  }

  @Test("A password is in no message and no line of the log")
  func secret() async throws {
    try await RegistryBench.run(user: "\(Self.user):other") { bench in
      let registry = try bench.registry("http://\(Self.inURL)127.0.0.1:\(bench.standIn.port)")
      var said: [String] = []
      func note(_ error: RegistryError?) throws { said.append(try #require(error).description) }
      // Refused, unknown, failing, out of reach.
      try note(await failure { () throws(RegistryError) in try await registry.schema(id: 1) })
      bench.standIn.fail(StandInRegistry.error(40403, "Schema 1 not found"))
      try note(await failure { () throws(RegistryError) in try await registry.schema(id: 1) })
      bench.standIn.fail(.json([:]))
      try note(await failure { () throws(RegistryError) in try await registry.schema(id: 1) })
      await bench.standIn.stop()
      try note(await failure { () throws(RegistryError) in try await registry.schema(id: 1) })
      said.append(registry.url)
      #expect(bench.lines.all.count == 4)
      for text in said + bench.lines.all {
        for secret in [Self.password, "s3cr", "bGltczpz"] { #expect(!text.contains(secret), "\(text)") }
      }
    }
  }

  @Test(
    "A URL that can't be used is refused at once, and not shown",
    arguments: [
      "", "registry", "registry:8081", "ftp://registry", "http://", "http://lims:s3cr@", "http://a b",
      "http://lims:s3cr/et@registry:8081", "http://lims:s3cr@et@registry", "http://li%3Ams:s3cr@registry",
      "http://registry?x=s3cr", "http://registry#s3cr", "http://registry:8081,http://other:8081",
    ])
  func badURL(url: String) throws {
    let client = HTTPClient()
    #expect {
      try SchemaRegistry(url: url, client: client, environment: .fake(), log: .silent)
    } throws: { error in
      guard let error = error as? RegistryError else { return false }
      return error.code == "schema.registryInvalid" && !error.message.contains("s3cr")
    }
  }
}

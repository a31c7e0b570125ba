import Foundation
import JSON
import TestSupport
import Testing
import Values

@Suite("Messages that can't be handled", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct PoisonTests {
  /// A step that a participant answers over Kafka: the test is the participant.
  static let workflow: JSON = [
    "name": "asking", "version": 1, "timeout": "10m",
    "steps": [
      [
        "id": "ask", "timeout": "5m", "kafka": ["service": "lab", "command": "ask"], "compensation": "none",
        "retry": ["maxAttempts": 1],
      ]
    ],
    "output": "${steps.ask.output}",
  ]

  struct Poison {
    let what: String
    let value: [UInt8]
    var headers: [String: String] = [:]
    let code: String
    let says: String

    init(_ what: String, _ value: String, _ headers: [String: String] = [:], code: String, says: String) {
      self.init(what, Array(value.utf8), headers, code: code, says: says)
    }

    init(_ what: String, _ value: [UInt8], _ headers: [String: String] = [:], code: String, says: String) {
      (self.what, self.value, self.headers, self.code, self.says) = (what, value, headers, code, says)
    }
  }

  private static let start = #"{"command": "start", "workflow": "instant", "input": {}, "key": "#
  private static let event = ["ce_specversion": "1.0", "ce_source": "/lims", "content-type": "application/json"]

  @Test("Each poison message is a dead letter, unchanged and with its reason, and the next message is handled")
  func commands() async throws {
    let registry = StandInRegistry()
    try registry.start()
    let site = try await KafkaSite(workflow: GracefulStopTests.workflow)
    let engine = try await site.startEngine("--schema-registry", registry.url)
    let reader = try LetterReader(topic: site.topic("dead-letter"), brokers: site.broker.brokers)
    var letters = reader.letters.makeAsyncIterator()

    var poison = [
      Poison(
        "cut off, with an = and a comma", #"{"command": "start", "#, ["note": "a=b, c=d"], code: "message.notJSON",
        says: "line 1, column 22"),
      Poison("no text", [0xFF, 0x00, 0x0A, 0x1F], code: "message.notJSON", says: "line 1"),
      Poison(
        "an unknown type", "{}", Self.event.merging(["ce_id": "1", "ce_type": "com.example.order"]) { $1 },
        code: "message.unknownType", says: "“com.example.order”"),
      Poison(
        "a schema that nobody knows", [0, 0, 0, 3, 0xE7] + Array((Self.start + #""framed"}"#).utf8),
        code: "schema.unknown",
        says: "999"),
      Poison("cut off within its frame", [0, 0, 0], code: "schema.truncated", says: "3 bytes"),
      Poison(
        "an unknown workflow", #"{"command": "start", "workflow": "nothing", "input": {}}"#, code: "workflow.notFound",
        says: "“nothing”"),
    ]
    // A real broker takes none of that size as it comes.
    if site.broker.isMock {
      poison.append(
        Poison(
          "five megabytes", Array(#"{"command": ""#.utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 5_000_000),
          code: "message.tooLarge", says: "5000013 bytes"))
    }
    for (number, one) in poison.enumerated() {
      // It is in the same partition, before the good message.
      try await Kcat.send(
        one.value, to: site.topic("commands"), key: "k-\(number)", headers: one.headers, at: site)
      try await Kcat.send(
        Array((Self.start + #""good-\#(number)"}"#).utf8), to: site.topic("commands"), key: "k-\(number)", at: site)
      let letter = try #require(try await letters.next())
      expect(letter, one, from: site.topic("commands"), offset: 2 * number, key: "k-\(number)")
      try await site.until("the command behind it was handled: \(one.what)", engine) { $0 == number + 1 }
    }
    // A message that is framed with a schema that the registry knows is read.
    let id = registry.put(#"{"type":"object"}"#)
    let framed = [0] + withUnsafeBytes(of: Int32(id).bigEndian) { Array($0) } + Array((Self.start + #""framed"}"#).utf8)
    try await Kcat.send(framed, to: site.topic("commands"), key: "k", at: site)
    try await site.until("what is framed rightly was handled", engine) { $0 == poison.count + 1 }

    #expect(await engine.stop() == 0)
    reader.stop()
    await registry.stop()
    await site.close()
  }

  private static func key(_ saga: String) -> [String: String] {
    ["idempotency-key": "\(saga)/ask/1", "saga-attempt": "1"]
  }

  @Test(
    "A poison answer is a dead letter, and the next answer ends its step", arguments: Site.Store.allCases
  )
  func replies(store: Site.Store) async throws {
    try #require(
      store != .postgres || Site.hasPostgres, "No Postgres: run the tests with scripts/with-postgres in front")
    let site = try await KafkaSite(store: store, more: ["lab.commands:1"], workflow: Self.workflow)
    let engine = try await site.startEngine("--kafka-service", "lab=\(site.topic("lab.commands"))")
    let reader = try LetterReader(topic: site.topic("dead-letter"), brokers: site.broker.brokers)
    var letters = reader.letters.makeAsyncIterator()
    let replies = site.topic("replies")
    let answer = #"{"outcome": "succeeded", "output": 1}"#

    // A saga, answered twice: the second delivery of the answer is a repeat, another answer is none.
    let finished = try await start(site, engine)
    for _ in 0..<2 {
      try await Kcat.send(Array(answer.utf8), to: replies, key: finished, headers: Self.key(finished), at: site)
    }
    try await site.until("the answer ended the saga", engine, of: "completed") { $0 == 1 }

    let stranger = "5b40865d-e4dc-43f2-8d30-c0c0f8f78473"
    let poison = [
      Poison(
        "news to a finished saga", #"{"outcome": "failed", "code": "NO_ROOM"}"#, Self.key(finished), code: "saga.ended",
        says: "completed"),
      Poison("an answer to nothing", answer, ["saga-attempt": "1"], code: "reply.malformed", says: "idempotency-key"),
      Poison(
        "an answer of no outcome", #"{"outcome": "done"}"#, Self.key(finished), code: "reply.malformed",
        says: "“outcome”"),
      Poison("an answer to nobody's saga", answer, Self.key(stranger), code: "saga.notFound", says: stranger),
      Poison("no JSON", "done", Self.key(finished), code: "message.notJSON", says: "line 1"),
    ]
    for (number, one) in poison.enumerated() {
      try await Kcat.send(one.value, to: replies, key: "r-\(number)", headers: one.headers, at: site)
      let saga = try await start(site, engine)
      try await Kcat.send(Array(answer.utf8), to: replies, key: "r-\(number)", headers: Self.key(saga), at: site)
      let letter = try #require(try await letters.next())
      expect(letter, one, from: replies, offset: 2 + 2 * number, key: "r-\(number)")
      try await site.until("the answer behind it was taken: \(one.what)", engine, of: "completed") { $0 == number + 2 }
    }
    #expect(await engine.stop() == 0)
    reader.stop()
    await site.close()
  }

  private func start(_ site: KafkaSite, _ engine: SagaProcess) async throws -> String {
    let answer = try await site.call("POST", "\(engine.url)/v1/workflows/asking/sagas", body: ["input": .null])
    return try #require(answer.body["id"]?.stringValue, "\(answer.body.text())")
  }

  private func expect(
    _ letter: LetterReader.Letter, _ one: Poison, from topic: String, offset: Int, key: String,
    _ place: SourceLocation = #_sourceLocation
  ) {
    #expect(letter.header("dl_code") == one.code, "\(one.what)", sourceLocation: place)
    let reason = letter.header("dl_reason") ?? ""
    #expect(reason.contains(one.says), "\(one.what): \(reason)", sourceLocation: place)
    #expect(letter.header("dl_topic") == topic && letter.header("dl_partition") == "0", sourceLocation: place)
    #expect(letter.header("dl_offset") == "\(offset)" && letter.header("dl_attempts") == "1", sourceLocation: place)
    #expect(letter.header("dl_time").flatMap { Timestamp($0) } != nil, sourceLocation: place)
    #expect(letter.key == key, sourceLocation: place)
    #expect(letter.value == one.value, "\(one.what): \(letter.value.count) bytes", sourceLocation: place)
    #expect(
      letter.headers.prefix(one.headers.count).map { "\($0.name)=\($0.value)" }
        == one.headers.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }, sourceLocation: place)
  }
}

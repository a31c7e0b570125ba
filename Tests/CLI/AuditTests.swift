import Foundation
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import saga

@Suite("saga audit", .timeLimit(.minutes(15)), .inTurn)
struct AuditTests {
  private static let saga = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"
  private static let acts: [JSON] = [
    [
      "at": "2026-03-01T07:00:00.000Z", "actor": "author", "kind": "registration", "verb": "register",
      "workflow": "sample-processing v1",
    ],
    [
      "at": "2026-03-01T08:00:00.000Z", "actor": "lims", "kind": "start", "verb": "start", "saga": .string(saga),
      "version": 1, "workflow": "sample-processing", "after": ["saga": "running"],
    ],
    [
      "at": "2026-03-01T08:10:00.500Z", "actor": "a night-shift operator with a long name", "kind": "verb",
      "verb": "retry", "saga": .string(saga), "version": 17, "workflow": "sample-processing",
      "step": "allocateStoragePosition", "from": "rest",
      "reason": "the freezer is back, \"Tina\" from the storage team has said so on the phone and will send a mail",
      "before": ["saga": "stuck", "step": "undoFailed"], "after": ["saga": "compensating", "step": "undoing"],
    ],
    [
      "at": "2026-03-01T08:12:00.000Z", "actor": "anna", "kind": "engine", "verb": "echo-rewind",
      "reason": "line one\r\nline two",
    ],
  ]

  @Test("draws user, time, act, reason, and the statuses before and after, page by page, in 80 columns")
  func table() async throws {
    let tool = TestTool(answers: [
      .json(["acts": .array(Array(Self.acts[..<2])), "next": "C2"]), .json(["acts": .array(Array(Self.acts[2...]))]),
    ])
    try Golden.expect(await tool.run("audit", "--saga", Self.saga).output, is: "audit")
    #expect(tool.requests.map(\.url).allSatisfy { $0.contains("/v1/audit?limit=200&saga=\(Self.saga)") })
    #expect(tool.requests.last?.url.hasSuffix("&cursor=C2") == true)
  }

  @Test("the table and the CSV have the id of an operation")
  func operation() async throws {
    let act: JSON = [
      "at": "2026-03-01T08:12:00.000Z", "actor": "ben", "kind": "operation", "verb": "approve", "reason": "seen it",
      "operation": .string(OperationCommandTests.id),
    ]
    let table = await TestTool(answers: [.json(["acts": [act]])]).run("audit").output
    #expect(table.contains("\n  operation \(OperationCommandTests.id)\n  “seen it”\n"), "\(table)")
    let csv = await TestTool(answers: [.json(["acts": [act]])]).run("audit", "--csv").output
    #expect(csv.hasSuffix("ben,operation,approve,,,,,seen it,,,,,,\(OperationCommandTests.id),\r\n"), "\(csv)")
  }

  @Test("the table and the CSV have what was requested, and cut long texts")
  func content() async throws {
    let act: JSON = [
      "at": "2026-03-01T08:12:00.000Z", "actor": "anna", "kind": "signal", "verb": "signal", "saga": .string(Self.saga),
      "version": 4, "workflow": "release", "step": "approve", "reason": "signal approval", "from": "cli 10.0.0.7",
      "content": [
        "key": "click-1", "signal": "approval",
        "body": ["approved": true, "note": .string(String(repeating: "x", count: 300))],
        "outcome": "taken",
      ],
      "after": ["saga": "running", "step": "succeeded"],
    ]
    let table = await TestTool(answers: [.json(["acts": [act]])]).run("audit").output
    let flat = table.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(flat.contains(#"key click-1, signal approval, body {"approved":true"#), "\(table)")
    #expect(flat.contains("…, outcome taken “signal approval”, from cli 10.0.0.7"), "\(table)")
    let csv = await TestTool(answers: [.json(["acts": [act]])]).run("audit", "--csv").output
    #expect(csv.contains(#""{""key"":""click-1"",""signal"":""approval"",""body"":{""approved"":true"#), "\(csv)")
  }

  @Test("--limit ends after that number of acts, the oldest first, and says that more follow")
  func limit() async throws {
    let page: JSON = ["acts": .array(Array(Self.acts[..<2])), "next": "C2"]
    let tool = TestTool(answers: [.json(page), .json(["acts": .array(Array(Self.acts[2...])), "next": "C3"])])
    let result = await tool.run("audit", "--limit", "3")
    #expect(tool.requests.count == 2 && tool.requests[0].url.hasSuffix("?limit=3"))
    #expect(!result.output.contains("echo-rewind") && result.output.contains("retry"))
    #expect(result.output.hasSuffix("More acts follow: a larger --limit, or a later --since.\n"))
    let json = await TestTool(answers: [.json(page)]).run("audit", "--limit", "1", "--json")
    #expect(try JSON(parsing: json.output)["acts"]?.arrayValue?.count == 1)
    let all = await TestTool(answers: [.json(["acts": .array(Self.acts)])]).run("audit", "--limit", "4")
    #expect(!all.output.contains("More acts"))
    #expect(await TestTool().run("audit", "--limit", "0").status == .usage)
  }

  @Test("--csv is RFC 4180")
  func csv() async throws {
    let tool = TestTool(answers: [.json(["acts": .array(Self.acts)])])
    let output = await tool.run("audit", "--csv", "--by", "anna", "--verb", "retry").output
    let head =
      "at,actor,kind,verb,saga,version,workflow,step,reason,from,sagaBefore,stepBefore,sagaAfter,stepAfter,operation,content\r\n"
    #expect(output.hasPrefix(head))
    #expect(output.contains(#","the freezer is back, ""Tina"" from the storage"#))
    #expect(output.hasSuffix("anna,engine,echo-rewind,,,,,\"line one\r\nline two\",,,,,,,\r\n"))
    #expect(tool.requests[0].url.hasSuffix("&by=anna&verb=retry"))
    let older = TestTool(answers: [.json(["acts": []])])
    _ = await older.run("audit", "--actor", "anna")
    #expect(older.requests[0].url.hasSuffix("&by=anna"))
  }

  @Test("--json prints all pages as one")
  func json() async throws {
    let tool = TestTool(answers: [.json(["acts": .array(Self.acts)])])
    let output = await tool.run("audit", "--json", "--between", "2026-03-01..2026-04-01").output
    #expect(try JSON(parsing: output) == ["acts": .array(Self.acts)])
    #expect(
      tool.requests[0].url.hasSuffix("&from=2026-03-01T00%3A00%3A00.000Z&to=2026-04-01T00%3A00%3A00.000Z"))
    let none = await TestTool(answers: [.json(["acts": []])]).run("audit", "--between", "2026-03-01..")
    #expect(none.output == "No act matches.\n")
  }

  @Test(
    "wrong usage is refused without a request",
    arguments: [
      (["audit", "--between", "march"], "--between wants FROM..TO"), (["audit", "--between", ".."], "--between wants"),
      (["audit", "--between", "2026-13-01.."], "--between wants a time as 1h"),
      (["audit", "--since", "noon"], "--since wants a time as 1h"),
      (["audit", "--since", "1h", "--between", "2026-03-01.."], "--between and --since or --until exclude"),
      (["audit", "--csv", "--json"], "audit wants --csv or --json"),
      (["audit", "verify", "--head", "x"], "audit verify wants --head and --public-key together"),
      (["audit", "verify", "--store", "memory"], "--store wants sqlite:PATH or postgres:URL"),
    ])
  func wrong(_ words: [String], _ complaint: String) async {
    let tool = TestTool()
    let result = await tool.run(words)
    #expect(result.status == .usage)
    #expect(result.complaint.hasPrefix("saga: \(complaint)"), "\(result.complaint)")
    #expect(tool.requests.isEmpty)
  }

  @Test("A store is checked and signed without an engine and beside one, and a later change is reported")
  func offline() async throws {
    let folder = try TestFolder.new("audit")
    func path(_ name: String) -> String { folder.appending(path: name).path }

    // 1. A store that is open all the while.
    let store = try await SQLiteStore.open(path: path("engine.db"), environment: .system)
    try await store.own(shards: nil)
    for _ in 0..<5 {
      _ = try await store.append(
        Append(
          stream: Environment.system.newID(), expectedVersion: 0,
          events: [NewEvent(type: "sampleMoved", data: Array("{}".utf8))], appendID: Environment.system.newID()))
    }
    let location = "sqlite:\(path("engine.db"))"

    // 2. Keys, made once. The private key is readable for its owner only.
    let made = await TestTool().run("audit", "keygen", path("audit.key"))
    #expect(made.status == .success, "\(made.complaint)")
    let rights = try FileManager.default.attributesOfItem(atPath: path("audit.key"))[.posixPermissions] as? Int
    #expect(rights == 0o600)
    let again = await TestTool().run("audit", "keygen", path("audit.key"))
    #expect(again.complaint.contains("[cli.fileUnwritable]") || again.complaint.contains("cli.fileUnwritable"))
    _ = await TestTool().run("audit", "keygen", path("other.key"))

    // 3. A head, signed; and a walk that agrees with it.
    let head = await TestTool().run(
      "audit", "head", "--store", location, "--sign-key", path("audit.key"), "--out", path("head.json"))
    #expect(head.status == .success, "\(head.complaint)")
    #expect(head.output.contains("5 events in 64 shards, signed with "))
    let check = ["audit", "verify", "--store", location, "--head", path("head.json"), "--public-key"]
    let whole = await TestTool().run(check + [path("audit.key.pub")])
    #expect(whole.status == .success, "\(whole.complaint)")
    #expect(whole.output.hasPrefix("intact: every link of 5 events holds\n"))
    #expect(whole.output.contains("Compared with the signed head of 2026-03-01T08:15:45.000Z."))

    // 4. Another key, and a key that is none.
    let other = await TestTool().run(check + [path("other.key.pub")])
    #expect(other.status == .failure)
    #expect(other.complaint.contains("audit.otherKey"))
    #expect(await TestTool().run(check + [path("audit.key")]).complaint.contains("cli.keyInvalid"))

    // 5. One event more than the store has: cut off since, as the head tells.
    let signed = try AuditHead(parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: path("head.json")))))
    let key = try #require(SigningKey(pem: [UInt8](Data(contentsOf: URL(fileURLWithPath: path("audit.key"))))))
    let last = try #require(signed.shards.last { $0.position > 0 })
    let later = AuditHead(
      store: signed.store, at: signed.at,
      shards: signed.shards.map { shard in
        shard.shard != last.shard
          ? shard
          : AuditHead.Shard(
            shard: shard.shard, position: shard.position + 1, chain: shard.chain, unchained: shard.unchained)
      })
    let bytes = try #require(later.signed(with: key)).json.bytes()
    try Data(bytes).write(to: URL(fileURLWithPath: path("later.json")))
    let cut = await TestTool().run(
      "audit", "verify", "--store", location, "--head", path("later.json"), "--public-key", path("audit.key.pub"))
    #expect(cut.status == .failure)
    #expect(cut.output.hasPrefix("broken: 1 shard of 64 was changed\n  truncated at shard \(last.shard), "))
    for line in cut.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    await store.close()

    // 6. What isn't there.
    let missing = await TestTool().run("audit", "verify", "--store", "sqlite:\(path("none.db"))")
    #expect(missing.complaint.contains("cli.fileUnreadable"))
    #expect(!FileManager.default.fileExists(atPath: path("none.db")))
  }

  @Test("An audit through the engine signs the head locally and draws the findings")
  func online() async throws {
    let report: JSON = [
      "store": .string(Self.saga), "intact": false, "events": 1_200, "unchained": 7,
      "broken": [
        [
          "kind": "contentChanged", "shard": 3, "position": 41, "stream": .string(Self.saga), "version": 4,
          "why":
            "its hash fits its content, but the shard's chain was made with another: changed, and its stream hashed anew",
        ]
      ], "shards": [["shard": 0, "events": 1_200, "chain": "00", "unchained": 7]],
    ]
    let tool = TestTool(answers: [.json(report)])
    let result = await tool.run("audit", "verify")
    #expect(result.status == .failure)
    #expect(tool.requests[0].request.method == "POST")
    #expect(tool.requests[0].url.hasSuffix("/v1/audit/verify"))
    try Golden.expect(result.output, is: "audit-broken")
  }
}

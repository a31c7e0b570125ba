import Foundation
import JSON
import TestSupport
import Testing

@testable import saga

@Suite("The demonstration's report", .timeLimit(.minutes(15)), .inTurn)
struct DemoTests {
  static func tube(
    _ id: String, _ status: JSON, step: JSON = "storeSample", code: JSON = "http.timeout"
  ) throws -> Tube {
    let cause: JSON = [
      "cause": "stepFailed", "step": step, "code": code, "message": "it didn't work", "at": "2026-03-01T08:15:31.250Z",
    ]
    let saga = try Sample.response([
      "id": .string(id), "status": status, "turnBack": status == "completed" ? .null : cause,
    ])
    return Tube(barcode: "T-\(id)", saga: saga)
  }
  private let tubes: [Tube]

  init() throws {
    tubes = [
      try Self.tube("1", "completed"), try Self.tube("2", "completed"), try Self.tube("3", "compensated"),
      try Self.tube("4", "compensated"),
      try Self.tube("5", "compensated", step: "createSample", code: "samples.barcodeTaken"),
    ]
  }

  private func report(positions: [String], valid: Set<String> = ["1", "2"], repeated: [String] = []) -> DemoReport {
    DemoReport(
      tubes: tubes,
      refused: [RefusedTube(code: "input.invalid", message: "volumeMl is 0; the schema allows only more than 0")],
      account: LabAccount(positions: positions, validSamples: valid, repeatedEffects: repeated),
      style: .plain)
  }

  @Test("agrees when the laboratory's record does")
  func agrees() throws {
    let report = report(positions: ["1", "2"])
    #expect(report.holds)
    try Golden.expect(report.lines().map { $0 + "\n" }.joined(), is: "demo")
  }

  @Test(
    "disagrees when a position is missing, held for an undone saga, held twice, or without an owner",
    arguments: [["1"], ["1", "2", "3"], ["1", "2", "2"], ["1", "2", ""], []])
  func positions(_ positions: [String]) { #expect(!report(positions: positions).holds) }

  @Test("disagrees when a tube isn't valid, or an undone saga's is, or a command took effect twice")
  func others() {
    #expect(!report(positions: ["1", "2"], valid: ["1"]).holds)
    #expect(!report(positions: ["1", "2"], valid: ["1", "2", "4"]).holds)
    #expect(!report(positions: ["1", "2"], repeated: ["k"]).holds)
  }

  @Test("a laboratory without a record is an error")
  func noAccount() async {
    await #expect(throws: CLIError.self) {
      _ = try await LabAccount.read(at: "http://lab") { (_, _) async throws(APIUnreachable) in .json([:]) }
    }
  }
}

@Suite("Options for stores and services", .timeLimit(.minutes(15)), .inTurn)
struct SettingTests {
  @Test("stores")
  func stores() {
    #expect(StoreLocation("memory") == .memory)
    #expect(StoreLocation("sqlite:a/b.db") == .sqlite(path: "a/b.db"))
    #expect(StoreLocation("postgres://h/db") == .postgres(url: "postgres://h/db"))
    #expect(StoreLocation("postgres:postgresql://h/db") == .postgres(url: "postgresql://h/db"))
    for wrong in ["", "sqlite:", "sqlite", "mysql:x", "a.db"] { #expect(StoreLocation(wrong) == nil, "\(wrong)") }
  }

  @Test("a store's password isn't shown")
  func password() { #expect(!StoreLocation.postgres(url: "postgres://u:secret@h/db").shown.contains("secret")) }

  @Test("services by option")
  func services() {
    #expect(ServiceList.entry("a=http://h:1/x/") == ServiceEntry(name: "a", url: "http://h:1/x", tombstones: false))
    #expect(
      ServiceList.entry("a=https://h,tombstones") == ServiceEntry(name: "a", url: "https://h", tombstones: true))
    for wrong in ["", "a", "=http://h", "a=", "a=h:1", "a=http://"] { #expect(ServiceList.entry(wrong) == nil) }
    let taken = [
      "http://127.0.0.1:8090/samples", "http://[::1]:8090", "https://lims.example.", "http://samples_v2:80/a%20b/x,y.z",
      "http://h:65535", "HTTP://h", "http://[fd12::1]:1", "http://xn--mnchen-3ya.example/",
    ]
    for url in taken { #expect(ServiceList.entry("a=\(url)") != nil, "\(url)") }
    #expect(ServiceList.entry("a b=http://h") == nil && ServiceList.entry("1=http://h") == nil)
    #expect(ServiceList.entry("a=http://h,tombstone") == nil && ServiceList.entry("a=http://h/x,thumbstones") == nil)
  }

  @Test(
    "An address that no call could use is refused, with the reason",
    arguments: [
      ("http://h/#x", "a #"), ("http://h#", "a #"), ("http://h/x?y=1", "a ?"), ("http://h?", "a ?"),
      ("http://h /x", "blank"), (" http://h", "begin with"), ("http://h/a b", "blank"), ("http://h\n", "blank"),
      ("http://h:99999", "port"), ("http://h:0", "port"), ("http://h:", "port"), ("http://h:+80", "port"),
      ("http://h:8o", "port"), ("http://u@h", "user"), ("http://u:p@h/x", "user"), ("http://:80", "no host"),
      ("http:///x", "no host"), ("http://a..b", "host"), ("http://-a", "host"), ("http://300.1.1.1", "host"),
      ("http://1.2.3", "host"), ("http://127.0.0.01", "host"), ("http://[::1", "]"), ("http://[::g]", "host"),
      ("http://::1", "host"), ("http://[::1]x", "]"), ("http://h/%", "%"), ("http://h/%zz", "%"), ("http://h/%00", "%"),
      ("http://h/ä", "ASCII"), ("http://münchen.example", "ASCII"), ("http://h/a/../b", "elsewhere"),
      ("http://h/%2E%2e/", "elsewhere"), ("http://h//x", "//"), ("http://h/a|b", "percent-encoded"),
      ("http://h\\x", "percent-encoded"), ("http://h,x/", "host"), ("ftp://h", "begin with"), ("h:80", "begin with"),
      ("http:/h", "begin with"), ("http://a%62c", "host"),
    ])
  func wrongAddress(url: String, reason: String) throws {
    let mistake = try #require(WebAddress.mistake(in: url), "\(url) is taken")
    #expect(mistake.contains(reason), "\(url): \(mistake)")
    #expect(ServiceList.entry("a=\(url)") == nil)
    let json: JSON = ["a": ["url": .string(url)]]
    #expect(throws: CLIError.self) { try ServiceList.entries(json, file: "s.json") }
  }

  @Test("services by file")
  func file() throws {
    let json: JSON = ["a": ["url": "http://h", "tombstones": true], "b": "http://i"]
    #expect(
      try ServiceList.entries(json, file: "s.json") == [
        ServiceEntry(name: "a", url: "http://h", tombstones: true),
        ServiceEntry(name: "b", url: "http://i", tombstones: false),
      ])
    let wrong: [JSON] = [[], ["a": 1], ["a": ["url": "h"]], ["a": ["url": "http://h", "x": 1]]]
    for json in wrong { #expect(throws: CLIError.self) { try ServiceList.entries(json, file: "s.json") } }
  }

  @Test("a file that the laboratory writes names its services, in the form that the engine reads")
  func writtenFile() throws {
    let mail = ServiceEntry(name: "mail", url: "http://mail:80", tombstones: false)
    let services = LabAddress.services(at: "http://127.0.0.1:8090") + [mail]
    let text = ServiceList.text(of: services)
    #expect(try ServiceList.entries(JSON(parsing: text), file: "s.json") == services)
    #expect(text.contains(#"  "pooling": {"url":"http://127.0.0.1:8090/pooling","tombstones":true},"#))
    #expect(ServiceList.text(of: []) == "{}\n")
  }

  @Test("a service that is named twice is an error, wherever it is named")
  func namedTwice() async throws {
    let folder = try TestFolder.new("services")
    let file = folder.appendingPathComponent("services.json").path
    try Data(#"{"a": "http://h"}"#.utf8).write(to: URL(fileURLWithPath: file))
    for options in [
      ["--service", "a=http://h", "--service", "a=http://h"], ["--services", file, "--service", "a=http://i"],
    ] {
      let result = await TestTool().run(["serve", "--store", "memory"] + options)
      #expect(result.status == .failure)
      #expect(result.complaint.contains(#"the service "a" is named twice"#))
      #expect(result.complaint.contains(CLIErrorCode.configurationInvalid))
    }
  }

  @Test("the first stop request ends every wait for it, the second stops at once")
  func shutdown() async {
    let calls = Calls()
    let shutdown = Shutdown { _ = calls.add("now") }
    #expect(!shutdown.isAsked)
    async let heard: Void = shutdown.requested()
    shutdown.ask()
    await heard
    await shutdown.requested()
    #expect(shutdown.isAsked)
    #expect(calls.all.isEmpty)
    shutdown.ask()
    #expect(calls.all == ["now"])
  }
}

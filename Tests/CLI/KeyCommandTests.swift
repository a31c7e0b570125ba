import Foundation
import JSON
import TestSupport
import Testing
import Values

@testable import saga

@Suite("Keys on the command line", .timeLimit(.minutes(15)), .inTurn)
struct KeyCommandTests {
  private let path: String
  private let folder: URL

  init() throws {
    folder = try TestFolder.new("keys")
    path = folder.appendingPathComponent("keys.json").path
  }

  private func file(_ name: String, _ text: String) throws -> String {
    let file = folder.appendingPathComponent(name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  /// Creates a key and returns its text.
  private func create(_ words: String...) async throws -> String {
    let result = await TestTool().run(["key", "create", "--keys", path] + words)
    #expect(result.status == .success, "\(result.complaint)")
    return String(try #require(result.output.split(separator: "\n").last))
  }

  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test("A key has roles of the laboratory beside those at the engine")
  func labRoles() async throws {
    _ = try await create("--name", "mia", "--role", "starter:a", "--lab-role", "qa", "--lab-role", "shift lead")
    let listed = await TestTool().run("key", "list", "--keys", path)
    #expect(listed.output.contains("  mia\n"))
    #expect(listed.output.contains("  starter:a lab:qa lab:shift lead\n"))
    let json = try JSON(parsing: Array(await TestTool().run("key", "list", "--keys", path, "--json").output.utf8))
    #expect(json["keys"]?[0]?["labRoles"] == ["qa", "shift lead"])
    for wrong in ["", " qa", "q\u{200B}a", String(repeating: "q", count: 101)] {
      let result = await TestTool().run(
        "key", "create", "--keys", path, "--name", "x", "--role", "viewer", "--lab-role", wrong)
      #expect(result.status == .usage && result.complaint.contains("--lab-role"), "\(wrong)")
    }
  }

  @Test("A key is created, listed and revoked; its secret is printed once and stored nowhere")
  func life() async throws {
    let key = try await create("--name", "lims", "--role", "starter:a,b", "--role", "viewer", "--speaks-for-others")
    let other = try await create("--name", "anna", "--role", "operator", "--expires", "1h")
    #expect(key != other && key.hasPrefix("tsk_") && key.utf8.count == 81)
    #expect(try mode(path) == 0o600)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(!text.contains(key.suffix(64)) && text.contains(Digest.hex(Array(key.suffix(64).utf8))))
    let id = String(key.split(separator: "_")[1])

    let listed = await TestTool().run("key", "list", "--keys", path)
    #expect(listed.output.contains("\(id)  valid"))
    let indent = String(repeating: " ", count: 14)
    #expect(listed.output.contains(" UTC  lims\n\(indent)starter:a,b viewer, speaks for others\n"))
    #expect(!listed.output.contains(key.suffix(64)))

    #expect(await TestTool().run("key", "revoke", "--keys", path, id).output == "Key \(id) of lims is revoked.\n")
    #expect(await TestTool().run("key", "revoke", "--keys", path, id).status == .success)
    let json = await TestTool().run("key", "list", "--keys", path, "--json")
    let keys = try #require(try JSON(parsing: Array(json.output.utf8))["keys"]?.arrayValue)
    #expect(keys.map { $0["status"] } == ["revoked", "valid"] && keys.map { $0["sha256"] } == [nil, nil])
    #expect(keys[1]["expiresAt"] == .timestamp(Golden.now + .seconds(3_600)))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["keys.json", "keys.json.lock"])
  }

  @Test("The list of keys shows every role of a key, in lines of 80 columns")
  func manyRoles() async throws {
    let workflows = (1...30).map { "starter:workflow-\($0)" }
    let made = await TestTool().run(
      ["key", "create", "--keys", path, "--name", "lims"] + (workflows + ["admin"]).flatMap { ["--role", $0] })
    #expect(made.status == .success, "\(made.complaint)")
    let lines = await TestTool().run("key", "list", "--keys", path).output.split(separator: "\n")
    #expect(lines.count > 5 && lines.allSatisfy { $0.count <= 80 })
    let words = lines.flatMap { $0.split(separator: " ").map(String.init) }
    for role in workflows + ["admin"] { #expect(words.contains(role)) }
  }

  @Test("A key goes to a new file that only its owner can read")
  func out() async throws {
    let out = folder.appendingPathComponent("anna.key").path
    let words = ["key", "create", "--keys", path, "--name", "anna", "--role", "viewer", "--out", out]
    let result = await TestTool().run(words)
    let key = try String(contentsOfFile: out, encoding: .utf8)
    #expect(key.hasPrefix("tsk_") && !result.output.contains(key.suffix(65)))
    #expect(try mode(out) == 0o600)
    // The file exists, so no key is added.
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    let again = await TestTool().run(words)
    #expect(again.status == .failure && again.complaint.contains(CLIErrorCode.fileUnwritable))
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test("A change keeps the rights of the file, and follows a symbolic link")
  func rights() async throws {
    _ = try await create("--name", "anna", "--role", "viewer")
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    let link = folder.appendingPathComponent("link.json").path
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    let result = await TestTool().run("key", "create", "--keys", link, "--name", "ben", "--role", "viewer")
    #expect(result.status == .success, "\(result.complaint)")
    #expect(try mode(path) == 0o640)
    #expect(await TestTool().run("key", "list", "--keys", path).output.contains("ben"))
  }

  @Test(
    "A wrong word is a wrong usage, and changes nothing",
    arguments: [
      ["--role", "viewer"], ["--name", "anna"], ["--name", "anna", "--role", "root"],
      ["--name", "anna", "--role", "operator:a"], ["--name", "anonymous", "--role", "viewer"],
      ["--name", " ", "--role", "viewer"], ["--name", "anna", "--role", "viewer", "--expires", "0s"],
      ["--name", "anna", "--role", "viewer", "--expires", "1831d"],
      ["--name", "anna", "--role", "viewer", "--expires", "never"],
    ])
  func usage(_ words: [String]) async {
    #expect(await TestTool().run(["key", "create", "--keys", path] + words).status == .usage)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test("An unknown id, a file that is missing and a file with a mistake are errors")
  func wrongFiles() async throws {
    #expect(await TestTool().run("key", "list").status == .usage)
    #expect(await TestTool().run("key", "list", "--keys", path).complaint.contains(CLIErrorCode.fileUnreadable))
    let key = try await create("--name", "anna", "--role", "viewer")
    let unknown = await TestTool().run("key", "revoke", "--keys", path, "000000000000")
    #expect(unknown.complaint.contains(CLIErrorCode.accessKeyInvalid))
    let whole = await TestTool().run("key", "revoke", "--keys", path, key)
    #expect(whole.status == .failure && !whole.complaint.contains(key.suffix(64)))
    let broken = try file("broken.json", "{}")
    for words in [["list"], ["revoke", "x"], ["create", "--name", "a", "--role", "viewer"]] {
      let result = await TestTool().run(["key"] + words + ["--keys", broken])
      #expect(result.status == .failure && result.complaint.contains("access.keysUnreadable"), "\(result.complaint)")
    }
    #expect(try String(contentsOfFile: broken, encoding: .utf8) == "{}")
  }

  @Test("A file that has only a secret, named by mistake, is refused without a word of it")
  func secretFile() async throws {
    let secret = try file("anna.key", "tsk_planted_secret_4711\n")
    let serve = ["serve", "--store", "memory", "--port", "0"]
    for words in [
      ["key", "list", "--keys", secret], serve + ["--keys", secret], serve + ["--oidc", secret],
      serve + ["--services", secret], serve + ["--webhooks", secret],
    ] {
      let result = await TestTool().run(words)
      #expect(result.status == .failure && result.complaint.contains("1:1: it is not JSON"), "\(result.complaint)")
      #expect(!result.complaint.contains("planted"), "\(words)")
    }
  }

  @Test("The password of a misspelt store or of an engine's address is in no message")
  func passwords() async {
    for words in [
      ["serve", "--store", "postgress://u:planted@h/d"], ["serve", "--store", "u:planted@h/d"],
      ["list", "--server", "http://u:planted@127.0.0.1:1"], ["status", "--server", "http://u:planted@127.0.0.1:1"],
    ] {
      let result = await TestTool().run(words)
      #expect(result.status != .success && !result.complaint.isEmpty)
      #expect(!result.complaint.contains("planted") && !result.output.contains("planted"), "\(result.complaint)")
    }
  }

  @Test("A client sends the key of its file or its variable, and no login name with it")
  func sending() async throws {
    let named = try file("a.key", "tsk_file\n")
    let other = try file("b.key", "tsk_other")
    let cases: [(words: [String], variables: [String: String], key: String?, user: String?)] = [
      ([], ["USER": "root"], nil, "root"),
      ([], ["USER": "root", "SAGA_KEY": "tsk_variable"], "tsk_variable", nil),
      ([], ["USER": "root", "SAGA_KEY_FILE": other], "tsk_other", nil),
      (["--key-file", named], ["SAGA_KEY": "tsk_variable", "SAGA_KEY_FILE": other], "tsk_file", nil),
      ([], ["SAGA_KEY": "tsk_variable", "SAGA_KEY_FILE": other], "tsk_variable", nil),
      (["--key-file", named], ["SAGA_USER": "anna"], "tsk_file", "anna"),
      ([], ["SAGA_KEY": ""], nil, nil),
    ]
    for one in cases {
      let tool = TestTool(answers: [.json(["sagas": []])])
      _ = await tool.run(["list"] + one.words, variables: one.variables)
      let request = try #require(tool.requests.first).request
      #expect(request.header("Authorization") == one.key.map { "Bearer \($0)" })
      #expect(request.header("Saga-User") == one.user)
    }
  }

  @Test("A file without exactly one key is refused before any request", arguments: ["", "\n", "a b", "a\nb", "ä"])
  func badKeyFile(_ text: String) async throws {
    let tool = TestTool()
    let result = await tool.run("list", "--key-file", try file("bad.key", text))
    #expect(result.status == .failure && result.complaint.contains(CLIErrorCode.accessKeyInvalid))
    #expect(tool.requests.isEmpty)
  }

  @Test("An answer 401 says how to give a key")
  func advice() async {
    let problem: JSON = ["status": 401, "code": "access.keyMissing", "title": "A key is needed", "detail": "no key"]
    let result = await TestTool(answers: [.json(problem, status: 401)]).run("list")
    #expect(result.complaint.contains("--key-file") && result.complaint.contains("SAGA_KEY"))
  }
}

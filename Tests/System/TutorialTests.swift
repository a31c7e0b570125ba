import Foundation
import TestSupport
import Testing

/// `docs/tutorial.md` is carried out as it is written, on free ports.
@Suite("The tutorial", .timeLimit(.minutes(15)), .inTurn)
struct TutorialTests {
  private static func blocks(_ language: String) throws -> [String] {
    try Repository.blocks(language, of: "docs/tutorial.md")
  }

  @Test("The tutorial's service, workflow and commands do what the tutorial says")
  func steps() async throws {
    let site = try await Site(.sqlite)
    let workflows = site.folder.appendingPathComponent("workflows")
    let tests = workflows.appendingPathComponent("tests")
    try FileManager.default.createDirectory(at: tests, withIntermediateDirectories: true)
    let files = try Self.blocks("json")
    try #require(files.count == 2)
    try files[0].write(to: workflows.appendingPathComponent("store-tube.json"), atomically: true, encoding: .utf8)
    try files[1].write(to: tests.appendingPathComponent("store-tube.tests.json"), atomically: true, encoding: .utf8)
    let service = try Service(try #require(try Self.blocks("python").first), in: site.folder)
    defer { service.stop() }
    let port = try await service.port()
    let engine = try await SagaProcess.listening(
      ["serve", "--port", "0", "--service", "rack=http://127.0.0.1:\(port)"], in: site.folder)

    var said: [String] = []
    var selection = ""
    for block in try Self.blocks("sh") where !["mkdir", "python3", "saga serve"].contains(where: block.hasPrefix) {
      let command = block.replacing("NAME", with: selection)
      let lines = try await run(command, in: site.folder, engine)
      if let match = lines.firstMatch(of: #/--selection (\w+)/#) { selection = String(match.output.1) }
      said.append(lines)
    }
    // One block a section: check, start, the refusal, the stuck saga, the list, the preview, the operation, the audit, the tests.
    try #require(said.count == 9)
    #expect(said[0].contains("0 errors, 0 warnings"))
    #expect(said[1].contains("✓ completed"))
    #expect(said[2].contains("compensated") && said[2].contains("RACK_FULL"))
    #expect(said[3].contains("stuck") && said[3].contains("ARM_JAMMED"))
    #expect(said[4].contains("register: ARM_JAMMED"))
    #expect(said[5].contains("1 saga: 1 accept retry"))
    #expect(said[6].contains("1 done, 0 refused") && !said[6].contains("! stuck"))
    #expect(said[7].contains("the arm is free again"))
    #expect(said[8].contains("3 cases: 3 passed, 0 failed") && said[8].contains("the outcome of place is unknown"))

    #expect(await engine.stop() == 0)
    await site.close()
  }

  /// The tutorial's service as a process.
  private struct Service {
    /// The service ends when its standard input does: `python3` may be a script that starts another process.
    private let process: TestProcess

    init(_ program: String, in folder: URL) throws {
      let fixed = "http.server.ThreadingHTTPServer((\"127.0.0.1\", 8070), Rack).serve_forever()"
      try #require(program.contains(fixed))
      let free = """
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rack)
        print("port", server.server_address[1], flush=True)
        import sys, threading
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        server.serve_forever()
        """
      let file = folder.appendingPathComponent("service.py")
      try program.replacing(fixed, with: free).write(to: file, atomically: true, encoding: .utf8)
      process = try TestProcess("python3", [file.path], in: folder, keepsInput: true)
    }

    func port() async throws -> Int {
      for await line in process.lines {
        if let match = line.firstMatch(of: #/port (\d+)/#) { return try #require(Int(match.output.1)) }
      }
      throw CancellationError()
    }

    func stop() { process.closeInput() }
  }

  /// Runs a block in a shell that finds the program as `saga`.
  /// - Returns: what it printed.
  private func run(_ block: String, in folder: URL, _ engine: SagaProcess) async throws -> String {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let result = try await TestProcess.run(
      "/bin/sh", ["-c", block], in: folder,
      variables: [
        "SAGA_SERVER": engine.url, "SAGA_USER": "anna",
        "PATH": "\(URL(fileURLWithPath: TestProgram.path("saga")).deletingLastPathComponent().path):\(path)",
      ])
    return String(decoding: result.bytes, as: UTF8.self)
  }
}

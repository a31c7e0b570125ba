import Foundation
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import saga

@Suite("Options of the log", .timeLimit(.minutes(15)), .inTurn)
struct LogOptionTests {
  @Test(
    "An option that is not understood ends the command with the choices", arguments: ["serve", "lab"],
    [
      (["--log-level", "loud"], "--log-level wants debug, info, warning or error, not \"loud\""),
      (["--log-format=xml"], "--log-format wants text or json, not \"xml\""),
      (["--verbose", "--log-level", "error"], "--verbose is --log-level info: give one of them"),
    ])
  func refused(command: String, _ options: ([String], String)) async throws {
    let result = await TestTool().run([command, "--port", "0"] + options.0)
    #expect(result.status == .usage)
    #expect(result.complaint.hasPrefix("saga: \(options.1)\n"), "\(result.complaint)")
  }

  @Test(
    "The log on standard error has the format that the option names, and is complete when the process ends",
    .timeLimit(.minutes(15)), arguments: ["text", "json"])
  func process(format: String) async throws {
    let file = try TestFolder.new("log").appendingPathComponent("lab.db").path
    // The store closes the file to other users, and logs it.
    _ = FileManager.default.createFile(atPath: file, contents: nil, attributes: [.posixPermissions: 0o644])
    let ended = try await TestProcess.run(
      TestProgram.path("saga"),
      [
        "lab", "--store", "sqlite:\(file)", "--port", "0", "--stop-with-input", "--log-format", format, "--log-level",
        "warning",
      ], output: .discarded)
    let logged = String(decoding: ended.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    let line = try #require(logged.first)
    #expect(logged.count == 1, "\(logged)")
    if format == "json" {
      let read = try JSON(parsing: line)
      #expect(read["level"] == .string("warning") && read["path"] == .string(file))
    } else {
      #expect(line.hasSuffix(" path=\(file)"))
    }
  }
}

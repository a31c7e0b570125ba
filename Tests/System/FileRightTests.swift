import Foundation
import JSON
import TestSupport
import Testing

@Suite("Access rights of the engine's files", .timeLimit(.minutes(15)), .inTurn)
struct FileRightTests {
  private func rights(_ path: URL) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path.path)
    return try #require(attributes[.posixPermissions] as? Int) & 0o777
  }

  @Test("The folder and every file of an engine and a laboratory are the user's own")
  func new() async throws {
    let site = try await Site(.sqlite)
    let folder = site.folder.appending(path: ".saga")
    let lab = try await SagaProcess.listening(["lab", "--port", "0"], in: site.folder)
    let engine = try await SagaProcess.listening(["serve", "--port", "0"], in: site.folder)
    _ = try await site.call(
      "POST", "\(engine.url)/v1/workflows",
      body: ["name": "w", "version": 1, "steps": [["id": "a", "delay": ["for": "1h"]]]])
    #expect(try rights(folder) == 0o700)
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(files.contains("engine.db") && files.contains("read.db") && files.contains("lab.db"))
    #expect(files.contains("engine.db-wal"))
    for file in files { #expect(try rights(folder.appending(path: file)) == 0o600, "\(file)") }
    #expect(!engine.said.contains("Other users"))
    _ = await engine.stop()
    _ = await lab.stop()
    await site.close()
  }

  @Test("Files that others could read are closed at the start, and the log reports it")
  func tightened() async throws {
    let site = try await Site(.sqlite)
    let folder = site.folder.appending(path: ".saga")
    let first = try await SagaProcess.listening(["serve", "--port", "0"], in: site.folder)
    // Killed, so that the log files stay beside the database.
    await first.killNow()
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o644], ofItemAtPath: folder.appending(path: file).path)
    }
    let second = try await SagaProcess.listening(["serve", "--port", "0"], in: site.folder)
    #expect(try rights(folder) == 0o700)
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      #expect(try rights(folder.appending(path: file)) == 0o600, "\(file)")
    }
    #expect(second.said.contains("Other users could read a file of the store"))
    _ = await second.stop()
    await site.close()
  }

  @Test("A folder that is not the engine's own keeps its rights; the engine's files in it are closed")
  func shared() async throws {
    let site = try await Site(.sqlite)
    let folder = site.folder.appending(path: "shared")
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    let engine = try await SagaProcess.listening(
      ["serve", "--port", "0", "--store", "sqlite:\(folder.path)/engine.db"], in: site.folder)
    #expect(try rights(folder) == 0o755)
    #expect(try rights(folder.appending(path: "engine.db")) == 0o600)
    _ = await engine.stop()
    await site.close()
  }
}

import Foundation
import TestSupport
import Testing

@Suite("Processes and folders of tests", .timeLimit(.minutes(15)), .inTurn)
struct TestProcessTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test("A program gets its input, folder and variables; its status and both outputs come back")
  func run() async throws {
    let folder = try TestFolder.new("run")
    let result = try await TestProcess.run(
      "sh", ["-c", "cat; pwd; echo $COLOUR >&2; exit 3"], in: folder, variables: ["COLOUR": "red"],
      input: Array("in\n".utf8))
    #expect(result.status == 3)
    #expect(text(result.bytes) == "in\n\(folder.path)\nred\n")
    let quiet = try await TestProcess.run("sh", ["-c", "echo a; echo b >&2"], output: .discarded, errors: .discarded)
    #expect(quiet.bytes == [])
    #expect(try await TestProcess.run("sh", ["-c", "kill -9 $$"]).status == -SIGKILL)
    await #expect(throws: TestProcess.Failure.self) { try await TestProcess.run("/no/such/program") }
  }

  @Test(
    "A program starts while 2,000 files are open, and gets none of them",
    .enabled(if: sysconf(Int32(_SC_OPEN_MAX)) >= 8_192))
  func manyFiles() async throws {
    // Without O_CLOEXEC: a child would inherit them.
    let files = (0..<2_000).map { _ in open("/dev/null", O_RDONLY) }.filter { $0 >= 0 }
    defer { for file in files { close(file) } }
    try #require(files.count == 2_000)
    // The shell's own list has 0, 1, 2, and the folder that it reads.
    let result = try await TestProcess.run("sh", ["-c", "ls /proc/self/fd | wc -l"])
    #expect(text(result.bytes) == "4\n")
  }

  @Test("A process is frozen, thawed and stopped; a cancelled wait ends it")
  func signals() async throws {
    // A shell that waits for a child may miss a signal until the child ends, so the sleeps are short.
    let script = "trap 'echo bye; exit 4' TERM; echo up; while true; do sleep 0.05; done"
    let process = try TestProcess("sh", ["-c", script])
    var lines = process.lines.makeAsyncIterator()
    #expect(await lines.next() == "up")
    try await process.freeze()
    #expect(process.isFrozen && process.isRunning)
    process.thaw()
    #expect(await process.stop() == 4)
    #expect(await lines.next() == "bye")
    #expect(!process.isRunning)

    let other = try TestProcess("cat", keepsInput: true)
    let waiting = Task { await other.status() }
    waiting.cancel()
    #expect(await waiting.value == -SIGKILL)
  }
}

import Foundation
import HTTP
import JSON
import Synchronization
import TestSupport
import Testing
import Values

/// Workers, which pull tasks from the real process over HTTP.
@Suite("Workers", .serialized, .timeLimit(.minutes(15)), .apart)
struct WorkerTests {
  private static func workflow(_ queue: Int) -> String {
    #"""
    {"name": "work-\#(queue)", "version": 1, "timeout": "1h", "steps": [
      {"id": "load", "timeout": "30m", "compensation": "none",
       "task": {"queue": "q\#(queue)", "input": {"n": "${input.n}"}, "heartbeatTimeout": "2s"},
       "retry": {"maxAttempts": 20, "initialInterval": "100ms", "maxInterval": "500ms"}}]}
    """#
  }

  private static func start(_ site: Site, queues: Int) async throws -> SagaProcess {
    let workflows = site.folder.appendingPathComponent("wf")
    try FileManager.default.createDirectory(at: workflows, withIntermediateDirectories: true)
    for queue in 0..<queues {
      try Data(workflow(queue).utf8).write(to: workflows.appendingPathComponent("work-\(queue).json"))
    }
    return try await .listening(
      ["serve", "--store", site.engineStore, "--port", "0", "--workflows", workflows.path], in: site.folder)
  }

  private static func begin(_ site: Site, _ engine: SagaProcess, queue: Int, _ number: Int) async throws -> String {
    let answer = try await site.call(
      "POST", "\(engine.url)/v1/workflows/work-\(queue)/sagas", body: ["input": ["n": .int(number)]],
      headers: ["Idempotency-Key": "\(queue)-\(number)"])
    return try #require(answer.body["id"]?.stringValue, "\(answer.body.text())")
  }

  /// What the workers did, by the idempotency key of the work.
  private final class Log: Sendable {
    private let answers = Mutex<[String: Int]>([:])
    private let vanished = Atomic<Int>(0)
    func completed(_ key: String) { answers.withLock { $0[key, default: 0] += 1 } }
    func vanish() { vanished.add(1, ordering: .relaxed) }
    var keys: [String: Int] { answers.withLock { $0 } }
    var countOfVanished: Int { vanished.load(ordering: .relaxed) }
  }

  /// A worker. One that vanishes takes one task, and is not heard of again.
  private static func work(
    _ client: HTTPClient, _ url: String, queue: Int, name: String, vanishes: Bool, _ log: Log
  ) async throws {
    func post(_ path: String, _ body: JSON) async throws -> (status: Int, body: JSON) {
      let response = try await client.send(
        HTTPClientRequest(
          method: "POST", url: url + path, headers: ["Content-Type": "application/json"], body: body.bytes(),
          timeout: .seconds(90)))
      return (response.status, try JSON(parsing: response.body))
    }
    while !Task.isCancelled {
      let polled = try await post("/v1/tasks/q\(queue)/poll", ["worker": .string(name), "wait": "5s"])
      #expect(polled.status == 200, "\(polled.body.text())")
      guard let task = polled.body["tasks"]?[0], let id = task["id"]?.stringValue else { continue }
      if vanishes { return log.vanish() }
      let done: JSON = [
        "lease": task["lease"] ?? .null, "output": ["worker": .string(name), "n": task["input"]?["n"] ?? .null],
      ]
      let answer = try await post("/v1/tasks/\(id)/complete", done)
      if answer.status == 200 { log.completed(task["key"]?.stringValue ?? "") }
      #expect(answer.status == 200 || answer.body["code"] == "task.leaseLost", "\(answer.body.text())")
      // The answer may have been lost on its way: the same one again is harmless.
      if answer.status == 200 { #expect(try await post("/v1/tasks/\(id)/complete", done).status == 200) }
    }
  }

  @Test("200 workers of 10 queues do every task once, although a third of them vanish with a task")
  func manyWorkers() async throws {
    let (queues, workers, tasks) = (10, 200, 60)
    let site = try await Site(.sqlite)
    let engine = try await Self.start(site, queues: queues)
    let client = HTTPClient(HTTPClientConfiguration(maxInFlight: 512, maxInFlightPerHost: 512))
    let log = Log()
    var ids: [String] = []
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<workers {
        group.addTask {
          do {
            try await Self.work(
              client, engine.url, queue: worker % queues, name: "worker-\(worker)", vanishes: worker % 3 == 0, log)
          } catch is CancellationError {} catch {
            // A poll that is cut off at the end of the test says so with an error of the client.
            if !Task.isCancelled { throw error }
          }
        }
      }
      try await eventually("every worker waits") {
        let listed = try await site.call("GET", "\(engine.url)/v1/tasks").body["queues"]?.arrayValue ?? []
        return listed.reduce(0) { $0 + ($1["workersWaiting"]?.intValue ?? 0) } == workers
      }
      for number in 0..<tasks {
        for queue in 0..<queues { ids.append(try await Self.begin(site, engine, queue: queue, number)) }
      }
      try await eventually("every saga has completed", within: .seconds(180)) {
        let stats = try await site.call("GET", "\(engine.url)/v1/stats").body
        return stats["sagas"]?["completed"] == .int(queues * tasks)
      }
      group.cancelAll()
    }
    #expect(log.countOfVanished == (workers + 2) / 3)
    #expect(log.keys.count == queues * tasks)
    #expect(log.keys.values.allSatisfy { $0 == 1 }, "a task was recorded twice")
    for id in ids.prefix(50) {
      let events = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events?limit=1000").body["events"]
      #expect(events?.arrayValue?.filter { $0["type"] == "stepSucceeded" }.count == 1)
    }
    let left = try await site.call("GET", "\(engine.url)/v1/tasks").body
    #expect(left["tasks"] == [] && left["queues"]?.arrayValue?.count == queues)
    #expect(await engine.stop() == 0)
    await client.shutdown()
    await site.close()
  }

  @Test("A worker completes its task after a kill -9 of the engine, under the lease that it had before")
  func kill() async throws {
    let site = try await Site(.sqlite)
    var engine = try await Self.start(site, queues: 1)
    let id = try await Self.begin(site, engine, queue: 0, 1)
    let polled = try await site.call(
      "POST", "\(engine.url)/v1/tasks/q0/poll", body: ["worker": "robot", "wait": "10s"])
    let task = try #require(polled.body["tasks"]?[0])
    await engine.killNow()
    engine = try await Self.start(site, queues: 1)
    let target = "\(engine.url)/v1/tasks/\(task["id"]?.stringValue ?? "")"
    let heartbeat = try await site.call("POST", target + "/heartbeat", body: ["lease": task["lease"] ?? .null])
    #expect(heartbeat.body["cancelled"] == false, "\(heartbeat.body.text())")
    let done = try await site.call("POST", target + "/complete", body: ["lease": task["lease"] ?? .null, "output": 7])
    #expect(done.status == 200, "\(done.body.text())")
    let saga = LiveSaga(site: site, engine: engine, id: id)
    try await saga.ends("completed")
    #expect(try await saga.step("load")?["output"] == 7)
    #expect(try await saga.step("load")?["attempt"] == 1)
    #expect(await engine.stop() == 0)
    await site.close()
  }

  /// The program of `docs/workers.md`, as it is printed there.
  private static func printedWorker() throws -> String {
    let page = String(decoding: try Repository.bytes("docs/workers.md"), as: UTF8.self)
    let block = try #require(page.components(separatedBy: "```python\n").dropFirst().first)
    return try #require(block.components(separatedBy: "```").first)
  }

  @Test("The worker of docs/workers.md has at most 60 lines, does tasks, and stops cleanly")
  func printed() async throws {
    let program = try Self.printedWorker()
    #expect(program.split(separator: "\n", omittingEmptySubsequences: false).count - 1 <= 60)
    let site = try await Site(.sqlite)
    let engine = try await Self.start(site, queues: 1)
    let file = site.folder.appendingPathComponent("worker.py")
    try Data(program.utf8).write(to: file)
    let worker = try TestProcess("python3", [file.path, "q0", engine.url], in: site.folder)
    for number in 0..<3 {
      let saga = LiveSaga(
        site: site, engine: engine, id: try await Self.begin(site, engine, queue: 0, number))
      try await saga.ends("completed")
      #expect(try await saga.step("load")?["output"] == ["did": ["n": .int(number)]])
    }
    #expect(await worker.stop() == 0)
    #expect(await engine.stop() == 0)
    await site.close()
  }
}

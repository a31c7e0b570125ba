import Foundation
import JSON
import TestSupport
import Testing

/// Workers, which pull tasks from the real process over HTTP.
@Suite("Workers", .serialized, .timeLimit(.minutes(15)), .apart)
struct WorkerTests {
  private static func workflow(_ queue: Int) -> String {
    #"""
    {"name": "work-\#(queue)", "version": 1, "timeout": "1h", "steps": [
      {"id": "load", "timeout": "30m", "compensation": "none",
       "task": {"queue": "q\#(queue)", "input": {"n": "${input.n}"}, "heartbeatTimeout": "10s"},
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

  /// A program with many workers. Each one does its tasks, and answers each of them twice, because an answer may be lost on
  /// its way. With `hang`, a worker keeps its first task by heartbeats and never answers. The program prints the two
  /// statuses that each task's answers got, and the key of its work.
  private static let program = """
    import json, sys, threading, urllib.error, urllib.request

    ENGINE, NAME, FIRST, COUNT, HANGS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), "hang" in sys.argv
    printing, pause = threading.Lock(), threading.Event()


    def post(path, body):
        request = urllib.request.Request(ENGINE + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


    def work(number):
        name = f"{NAME}-{number}"
        while True:
            status, polled = post(f"/v1/tasks/q{number % 10}/poll", {"worker": name, "wait": "60s"})
            if status != 200:
                raise Exception(f"a poll was answered {status}: {polled}")
            for task in polled["tasks"]:
                target, lease = f"/v1/tasks/{task['id']}", task["lease"]
                while HANGS:
                    post(target + "/heartbeat", {"lease": lease})
                    pause.wait(1)
                done = {"lease": lease, "output": {"worker": name, "n": task["input"]["n"]}}
                statuses = [post(target + "/complete", done)[0] for _ in range(2)]
                with printing:
                    print(*statuses, task["key"], flush=True)


    threads = [threading.Thread(target=work, args=(FIRST + number,)) for number in range(COUNT)]
    for thread in threads:
        thread.start()
    """

  /// Workers in a process of their own.
  private struct Crew {
    let workers: Range<Int>
    let process: TestProcess
    private let printed = Told<String>()
    private let reading: Task<Void, Never>

    init(_ name: String, _ workers: Range<Int>, _ site: Site, _ engine: SagaProcess, hangs: Bool = false) throws {
      self.workers = workers
      let file = site.folder.appendingPathComponent("workers.py")
      try Data(WorkerTests.program.utf8).write(to: file)
      let process = try TestProcess(
        "python3",
        [file.path, engine.url, name, "\(workers.lowerBound)", "\(workers.count)"] + (hangs ? ["hang"] : []),
        in: site.folder)
      self.process = process
      reading = Task { [printed] in
        for await line in process.lines { printed.add(line) }
      }
    }

    /// The lines that the process has printed so far.
    var lines: [String] { printed.all }

    /// Ends the process with a SIGKILL, amid what its workers do, and waits for its last line.
    func kill() async {
      await process.killNow()
      await reading.value
    }
  }

  /// The takes and the end of one task, by the history of its saga.
  private struct Done {
    /// The workers that took it and lost it.
    let lostBy: [String]

    init(_ id: String, _ key: (queue: Int, number: Int), _ site: Site, _ engine: SagaProcess) async throws {
      let answer = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events?limit=1000")
      let events = answer.body["events"]?.arrayValue ?? []
      func all(_ type: String) -> [JSON] {
        events.filter { $0["type"]?.stringValue == type }.compactMap { $0["data"] }
      }
      let takes = all("taskTaken").compactMap { $0["worker"]?.stringValue }
      let succeeded = all("stepSucceeded")
      #expect(succeeded.count == 1, "the task of \(id) was recorded \(succeeded.count) times")
      let last = try #require(takes.last)
      #expect(last.hasPrefix("living-"), "\(takes)")
      #expect(succeeded.first?["output"] == ["worker": .string(last), "n": .int(key.number)])
      #expect(last.split(separator: "-").last.flatMap { Int($0) }.map { $0 % 10 } == key.queue)
      lostBy = Array(takes.dropLast())
      #expect(all("attemptFailed").count == lostBy.count, "each lost lease ends one attempt")
    }
  }

  @Test(
    "200 workers of 10 queues do every task once, although a third of them are killed while they wait and while they work"
  )
  func manyWorkers() async throws {
    let (queues, tasks) = (10, 60)
    let site = try await Site(.sqlite)
    let engine = try await Self.start(site, queues: queues)
    let living = try Crew("living", 0..<133, site, engine)
    let waiting = try Crew("waiting", 133..<166, site, engine)
    let working = try Crew("working", 166..<200, site, engine, hangs: true)
    try await eventually("every worker waits", within: .seconds(50)) {
      let listed = try await site.call("GET", "\(engine.url)/v1/tasks").body["queues"]?.arrayValue ?? []
      return listed.reduce(0) { $0 + ($1["workersWaiting"]?.intValue ?? 0) } == 200
    }

    // 1. A sixth of the workers is killed amid their polls.
    await waiting.kill()
    #expect(waiting.lines == [])
    var sagas: [(id: String, key: (queue: Int, number: Int))] = []
    for number in 0..<tasks {
      for queue in 0..<queues {
        sagas.append((try await Self.begin(site, engine, queue: queue, number), (queue, number)))
      }
    }

    // 2. Another sixth is killed while each of them has a task.
    try await eventually("each worker that hangs has a task") {
      let listed = try await site.call("GET", "\(engine.url)/v1/tasks?limit=1000").body["tasks"]?.arrayValue ?? []
      return listed.count { $0["worker"]?.stringValue?.hasPrefix("working-") == true } == working.workers.count
    }
    await working.kill()
    #expect(working.lines == [])

    // 3. The others do every task, those of the dead workers too.
    try await eventually("every saga has completed", within: .seconds(180)) {
      let stats = try await site.call("GET", "\(engine.url)/v1/stats").body
      return stats["sagas"]?["completed"] == .int(queues * tasks)
    }
    var lostBy: [String] = []
    for saga in sagas { lostBy += try await Done(saga.id, saga.key, site, engine).lostBy }
    let lostAtWork = lostBy.filter { $0.hasPrefix("working-") }
    #expect(Set(lostAtWork).count == working.workers.count && lostAtWork.count == working.workers.count)
    // A poll whose worker is dead may have got a task, and only one.
    let lostAtPoll = lostBy.filter { $0.hasPrefix("waiting-") }
    #expect(Set(lostAtPoll).count == lostAtPoll.count && lostAtPoll.count <= waiting.workers.count)
    #expect(lostBy.count == lostAtWork.count + lostAtPoll.count, "a living worker lost its lease: \(lostBy)")

    // 4. The workers saw the same: each work was taken once, and the repeat of its answer changed nothing.
    let left = try await site.call("GET", "\(engine.url)/v1/tasks").body
    #expect(left["tasks"] == [] && left["queues"]?.arrayValue?.count == queues)
    try await eventually("each task's answers are printed") { living.lines.count >= sagas.count }
    await living.kill()
    #expect(living.lines.sorted() == sagas.map { "200 200 \($0.id)/load/1" }.sorted())
    #expect(await engine.stop() == 0)
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

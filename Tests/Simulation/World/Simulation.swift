import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// One run of a scenario, and what the rules say of it.
public struct Run: Sendable {
  public let violations: [Violation]
  /// The log of the run, in order.
  public let lines: [String]
  /// Of the lines and of the number of jobs: two runs of one scenario have the same.
  public let digest: String
  /// How many events of each type were stored.
  public let events: [String: Int]
  public let calls: Int

  public var isGood: Bool { violations.isEmpty }
}

/// Runs scenarios. Each runs on the calling thread, in virtual time, and returns when the world has come to its end.
public enum Simulation {
  /// More jobs than this in one run mean that something goes round in circles.
  private static let mostJobs = 300_000

  /// - Parameters:
  ///   - seed: decides everything.
  ///   - removed: parts of the scenario that are taken out, as a failing run names them.
  ///   - fault: a fault that the engine is given.
  public static func run(seed: UInt64, without removed: Set<String> = [], fault: EngineFault? = nil) -> Run {
    run(Scenario(seed: seed).without(removed), fault: fault)
  }

  static func run(_ scenario: Scenario, fault: EngineFault?) -> Run {
    let world = World(scenario, fault: fault)
    let judged = Mutex<[Violation]?>(nil)
    let main = Task(executorPreference: world.executor) {
      let violations = await world.live()
      judged.withLock { $0 = violations }
    }
    var creep = Dice(scenario.seed, "creep")
    var end: Violation?
    while judged.withLock({ $0 == nil }) {
      if world.executor.runOne() {
        if scenario.creep > 0, creep.chance(scenario.creep) { world.clock.creep(Int64(creep.number(1...3))) }
        if world.executor.count < mostJobs { continue }
        end = Violation("nothing loops hot", nil, "\(mostJobs) jobs have run, at \(world.now)")
      } else if !world.clock.advance() {
        end = Violation("nothing silent", nil, "nothing is ready and nothing is due")
      }
      if end != nil { break }
    }
    _ = main
    var violations = judged.withLock { $0 } ?? world.problems
    if let end { violations.append(end) }
    if world.executor.strangers > 0 {
      violations.append(
        Violation("the simulation", nil, "\(world.executor.strangers) jobs came from another thread"))
    }
    let lines = world.lines
    return Run(
      violations: violations, lines: lines, digest: digest(lines, jobs: world.executor.count),
      events: world.counts, calls: world.books.calls.count)
  }

  private static func digest(_ lines: [String], jobs: Int) -> String {
    var bytes: [UInt8] = Array("\(jobs)".utf8)
    for line in lines { bytes += line.utf8 }
    return String(Digest.hex(bytes).prefix(16))
  }
}

extension World {
  /// Everything, from the first engine's start to the last one's end.
  /// - Returns: what the rules say.
  func live() async -> [Violation] {
    plan()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.supervise() }
      for saga in scenario.sagas { group.addTask { await self.client(saga) } }
      for signal in scenario.signals { group.addTask { await self.signaller(signal) } }
      for act in scenario.acts { group.addTask { await self.operate(act) } }
      group.addTask { await self.onlooker() }
      // 1. Trouble, and then none.
      await wait(until: scenario.healedAt)
      heal()
      // 2. Time runs on until nothing happens any more by itself.
      let longest = scenario.workflows.map(\.timeoutMs).max() ?? 0
      await wait(.milliseconds(longest) + .seconds(2 * 86_400))
      await look()
      let quiet = await judge()
      for violation in quiet { report(violation) }
      // 3. A careful operator brings what is left to its end.
      if problems.isEmpty {
        await takeCare()
        await look()
        for violation in await judge() { report(violation) }
        if problems.isEmpty {
          await checkEnds()
          await checkLists()
        }
      }
      close()
    }
    return problems
  }

  private func histories() async -> [UniqueID: [StoredEvent]] {
    var histories: [UniqueID: [StoredEvent]] = [:]
    for shard in 0..<memory.shardCount {
      for event in (try? await memory.tail(shard: shard, after: 0, limit: 1_000_000)) ?? [] {
        histories[event.stream, default: []].append(event)
      }
    }
    return histories
  }

  private func judge() async -> [Violation] {
    var sagas: [Rules.SagaRecord] = []
    var violations: [Violation] = []
    for (id, events) in await histories().sorted(by: { $0.key < $1.key }) {
      let facts = events.sorted { $0.version < $1.version }.map(Fact.init)
      guard let start = facts.first?.data["saga"], let name = start["workflow"]?.stringValue,
        let workflow = scenario.workflow(named: name)
      else { continue }
      let flags = (0..<3).map { start["input"]?["flags"]?["f\($0)"]?.boolValue ?? false }
      var items: [String: [String]] = [:]
      for step in workflow.steps {
        guard let forEach = step.forEach else { continue }
        let count = start["input"]?["items"]?[step.id]?.arrayValue?.count ?? 0
        items[step.id] = (0..<count).map(forEach.key)
      }
      sagas.append(
        Rules.SagaRecord(
          id: id, name: self.name(of: id), workflow: workflow, flags: flags, items: items, facts: facts))
      if (try? await memory.verify(id)) != .intact(version: facts.count) {
        violations.append(Violation("the history", self.name(of: id), "its chain of hashes is broken"))
      }
    }
    return violations
      + Rules(
        sagas: sagas, calls: books.calls, effects: books.effects, answers: answers, turnsKnown: turnsKnown, now: now
      ).check()
  }

  /// Lists show what is stored.
  private func checkLists() async {
    guard let current else { return }
    do {
      try await current.engine.waitUntilListed()
      let rows = try await current.engine.list(SagaListRequest(limit: 100)).sagas
      let stored = await histories().filter { $0.value.first?.type == "sagaStarted" }
      for (id, events) in stored.sorted(by: { $0.key < $1.key }) {
        let meta = events.max { $0.version < $1.version }.flatMap { try? JSON(parsing: $0.meta) }
        let status = try await current.engine.saga(id).state.status.rawValue
        let row = rows.first { $0.id == id }
        if row?.status != status {
          report(
            Violation(
              "14 lists show what is stored", name(of: id),
              "is \(status), and listed as \(row?.status ?? "nothing"); \(meta ?? .null)"))
        }
      }
    } catch {
      report(Violation("14 lists show what is stored", nil, "can't be read: \(error)"))
    }
  }

  /// The caretaker had every chance: what has not ended by now never will.
  private func checkEnds() async {
    if let current, scenario.sagas.allSatisfy({ id(of: $0.number) != nil }) {
      let counts = current.engine.turnCounts
      if counts != TurnCounts(keys: 0, held: 0, waiting: 0) {
        report(
          Violation("18 turns are released", nil, "\(counts.held) turns are held, and \(counts.waiting) waited for"))
      }
    }
    for saga in scenario.sagas {
      guard let id = id(of: saga.number), let current else { continue }
      guard let state = try? await current.engine.saga(id).state else {
        report(Violation("nothing silent", name(of: id), "can't be read"))
        continue
      }
      if state.end == nil {
        let steps = state.steps.map { "\($0.id) \($0.status)" }.joined(separator: ", ")
        report(Violation("every saga ends", name(of: id), "is \(state.status) after all care: \(steps)"))
      }
    }
  }
}

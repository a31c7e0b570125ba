import Foundation
import Simulation

/// `saga-simulate`: runs seeds, and says how to see again what broke a rule.
@main
struct Main {
  static func main() {
    hashDeterministically()
    var arguments = Arguments(CommandLine.arguments.dropFirst())
    let first = UInt64(arguments.value("--seed") ?? "1") ?? 1
    let count = UInt64(arguments.value("--count") ?? "1") ?? 1
    let without = Set((arguments.value("--without") ?? "").split(separator: ",").map(String.init))
    let fault = arguments.value("--fault").map { name -> EngineFault in
      guard let fault = EngineFault(rawValue: name) else {
        fail("There is no fault \(name). There are: \(EngineFault.allCases.map(\.rawValue).joined(separator: ", ")).")
      }
      return fault
    }
    let isTraced = arguments.flag("--trace")
    let isCounted = arguments.flag("--counts")
    let goesOn = arguments.flag("--all")
    let isOfWorkers = arguments.flag("--workers")
    let shrinks = !arguments.flag("--no-shrink") && !isOfWorkers
    let play = { (seed: UInt64) in
      isOfWorkers ? WorkerSimulation.run(seed: seed) : Simulation.run(seed: seed, without: without, fault: fault)
    }
    var wanted = Wanted()
    while let text = arguments.value("--except") { wanted.except.append(text) }
    wanted.only = arguments.value("--rule")
    if let unknown = arguments.rest.first { fail("What is \(unknown)?") }

    var (failed, calls) = (0, 0)
    var events: [String: Int] = [:]
    var rules: [String: (count: Int, seed: UInt64)] = [:]
    for seed in first..<(first + count) {
      let run = play(seed)
      events.merge(run.events, uniquingKeysWith: +)
      calls += run.calls
      if isTraced { for line in run.lines { print(line) } }
      if count == 1 || seed % 16 == 0 {
        let again = play(seed)
        if again.digest != run.digest {
          let place = zip(run.lines, again.lines).first { $0 != $1 }
          print("seed \(seed): two runs differ: \(place.map { "\n  \($0)\n  \($1)" } ?? "in their jobs")")
          exit(2)
        }
      }
      guard let first = run.violations.first(where: wanted.contains) else { continue }
      failed += 1
      let rule = first.rule
      rules[rule] = (rules[rule, default: (0, seed)].count + 1, rules[rule]?.seed ?? seed)
      if goesOn { continue }
      report(seed, run, breaks: rule, without: without, fault: fault, shrinks: shrinks, isOfWorkers: isOfWorkers)
      exit(1)
    }
    let total = events.values.reduce(0, +)
    print("\(count) seeds from \(first), \(failed) of them broken; \(total) events, \(calls) calls")
    if isCounted {
      for (type, count) in events.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
        print("  \(count) \(type)")
      }
    }
    for (rule, found) in rules.sorted(by: { $0.value.count > $1.value.count }) {
      print("  \(found.count) × \(rule), first with seed \(found.seed)")
    }
    exit(failed == 0 ? 0 : 1)
  }

  /// Begins again with an environment in which sets and dictionaries have the same order in each run: a seed decides nothing
  /// without that, and it can't be set once the process runs.
  private static func hashDeterministically() {
    let name = "SWIFT_DETERMINISTIC_HASHING"
    if ProcessInfo.processInfo.environment[name] == "1" { return }
    setenv(name, "1", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execvp(CommandLine.arguments[0], &arguments)
    fail("\(CommandLine.arguments[0]) can't begin again with \(name)=1. Set it yourself.")
  }

  private static func report(
    _ seed: UInt64, _ run: Run, breaks rule: String, without: Set<String>, fault: EngineFault?, shrinks: Bool,
    isOfWorkers: Bool
  ) {
    print("seed \(seed) breaks a rule:")
    for violation in run.violations.prefix(5) { print("  \(violation)") }
    var (removed, smallest) = (without, run)
    if shrinks, without.isEmpty {
      (removed, smallest) = Shrinking.shrink(seed: seed, run, breaks: rule, fault: fault)
      print("smaller, it still does:")
      for violation in smallest.violations.prefix(5) { print("  \(violation)") }
      for line in smallest.lines.suffix(80) { print("    \(line)") }
    }
    var command = "make simulate SEED=\(seed)"
    // The order of jobs differs between builds: a seed belongs to one of them.
    #if DEBUG
      command += " MODE=debug"
    #endif
    if isOfWorkers { command += " WORKERS=1" }
    if !removed.isEmpty { command += " WITHOUT=\(removed.sorted().joined(separator: ","))" }
    if let fault { command += " FAULT=\(fault.rawValue)" }
    print("replay it with:\n  \(command)")
  }

  private static func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("\(message)\n".utf8))
    exit(64)
  }
}

/// The violations that count.
struct Wanted {
  /// Those that contain one of these texts are known.
  var except: [String] = []
  /// Only rules that contain this text count.
  var only: String?

  func contains(_ violation: Violation) -> Bool {
    let text = "\(violation)"
    if let only, !violation.rule.contains(only) { return false }
    return !except.contains { text.contains($0) }
  }
}

/// The command's arguments: `--name value` and `--flag`, in any order.
struct Arguments {
  private(set) var rest: [String]

  init(_ arguments: some Sequence<String>) { rest = Array(arguments) }

  mutating func value(_ name: String) -> String? {
    guard let index = rest.firstIndex(of: name), index + 1 < rest.count else { return nil }
    defer { rest.removeSubrange(index...(index + 1)) }
    return rest[index + 1]
  }

  mutating func flag(_ name: String) -> Bool {
    guard let index = rest.firstIndex(of: name) else { return false }
    rest.remove(at: index)
    return true
  }
}

import SagaCore
import Workflows

// Two faults at a time. Pairs whose runs begin alike are played together, and parts of all pairs can be played at the same
// time on several threads.

extension Explorer {
  /// Plays one fault at a time, and says which pairs are to be played.
  /// - Throws: as `explore`.
  public func pairPlan() throws(RehearsalError) -> PairPlan { PairPlan(try singles()) }
}

/// The pairs of an exploration that are to be played.
public struct PairPlan: Sendable {
  private let work: Explorer.Work
  /// The runs with one fault that are parts of pairs.
  private let singles: [ExploredRun]
  /// The number of pairs that exist.
  private let count: Int
  /// The pairs that are played, as indexes into `singles`.
  private let pairs: [(one: Int, other: Int)]

  init(_ work: Explorer.Work) {
    self.work = work
    let singles = work.exploration.runs.filter { $0.route == 0 && ($0.causes.isEmpty || $0.isOfUndo) }
    self.singles = singles
    var all: [(Int, Int)] = []
    for one in singles.indices {
      for other in singles.indices.dropFirst(one + 1) where Self.isPair(singles[one], singles[other]) {
        all.append((one, other))
      }
    }
    count = all.count
    let most = max(1, work.explorer.budget.pairs)
    pairs = stride(from: 0, to: all.count, by: max(1, (all.count + most - 1) / most)).map { all[$0] }
  }

  /// Two faults are a pair when both can happen: not two in the same phase of one step, and of two undos, both must be
  /// needed for the same reason.
  private static func isPair(_ one: ExploredRun, _ other: ExploredRun) -> Bool {
    guard let first = one.faults.first, let second = other.faults.first else { return false }
    if first.phase == second.phase, first.step == second.step { return false }
    return first.phase == .forward || second.phase == .forward || one.causes == other.causes
  }

  /// The runs of one part of the pairs.
  public struct Part: Sendable {
    fileprivate var runs: [(pair: Int, run: ExploredRun)] = []
  }

  /// Plays one part of the pairs. The parts are about equally large.
  /// - Parameters:
  ///   - part: the number of the part, from 0.
  ///   - parts: the number of all parts.
  /// - Throws: `rehearsal.budget`.
  public func play(part: Int, of parts: Int) throws(RehearsalError) -> Part {
    var sharing = Array(repeating: [Int](), count: singles.count)
    for (index, pair) in pairs.enumerated() { sharing[first(of: pair)].append(index) }
    var work = work
    var played = Part()
    for first in stride(from: part, to: singles.count, by: parts) where !sharing[first].isEmpty {
      let record = try work.recorded(singles[first])
      for index in sharing[first] {
        let (one, other) = (singles[pairs[index].one], singles[pairs[index].other])
        work.events = 0
        // The undos of two steps are needed only when something makes the saga turn back.
        let causes = one.isOfUndo && other.isOfUndo ? one.causes : []
        let run = try work.outcome(of: one.faults + other.faults, causes: causes, on: 0, after: record)
        played.runs.append((index, run))
      }
    }
    return played
  }

  /// Returns the index of the run with whose fault the run of a pair begins. A fault of an undo is played with what makes
  /// the saga turn back, which only two undos have in common.
  private func first(of pair: (one: Int, other: Int)) -> Int {
    singles[pair.one].isOfUndo && !singles[pair.other].isOfUndo ? pair.other : pair.one
  }

  /// Returns the exploration with what all parts have shown.
  public func exploration(of parts: [Part]) -> Exploration {
    var shown = Exploration.PairExploration()
    shown.count = count
    for (pair, run) in parts.flatMap(\.runs).sorted(by: { $0.pair < $1.pair }) {
      shown.played += 1
      if let end = run.end { shown.ends[end, default: 0] += 1 }
      guard let news = news(of: run, singles[pairs[pair].one], singles[pairs[pair].other]) else { continue }
      if shown.news.count < work.explorer.budget.listed { shown.news.append(news) } else { shown.omitted += 1 }
    }
    var exploration = work.exploration
    exploration.pairs = shown
    return exploration
  }

  private func news(
    of run: ExploredRun, _ one: ExploredRun, _ other: ExploredRun
  ) -> Exploration.PairExploration.News? {
    let definition = work.exploration.definition
    let broken = run.broken.filter { !one.broken.contains($0) && !other.broken.contains($0) }
    let isStuck = run.end == .stuck && one.end != .stuck && other.end != .stuck
    let known = one.leftBehind(of: definition) + other.leftBehind(of: definition)
    let left = run.leftBehind(of: definition).filter { !known.contains($0) }
    guard !broken.isEmpty || isStuck || !left.isEmpty else { return nil }
    return Exploration.PairExploration.News(run: run, broken: broken, isStuck: isStuck, leftBehind: left)
  }
}

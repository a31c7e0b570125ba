import Foundation
import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@Suite("Exploration of a workflow", .timeLimit(.minutes(15)), .inTurn)
struct ExplorerTests {
  static let shippedNames = ["sample-processing", "sample-processing-kafka"]

  private func explore(_ text: String, pairs: Bool = false) throws -> Exploration {
    try Explorer(try definition(text)).explore(pairs: pairs)
  }

  // MARK: The shipped workflows

  @Test("Each shipped workflow comes out as it should under every failure", arguments: shippedNames)
  func shippedWorkflow(name: String) throws {
    let exploration = try Explorer(try shipped(name)).explore()
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns.map(\.end) == [.completed])
    #expect(exploration.leftBehind == [])
    #expect(exploration.runs.allSatisfy { $0.end != nil })
    #expect(exploration.neverUndone.map(\.step) == ["notify"])
    #expect(exploration.neverUndone.map(\.why) == [.saysNone])
    // Five steps with an undo have 7 faults and 6 of the undo; notify has 6.
    #expect(exploration.runs.count == 5 * 13 + 6)

    let stored = try #require(exploration.run("storeSample", .timesOut(happened: true)))
    #expect(stored.end == .compensated)
    #expect(stored.undone == ["storeSample", "allocateStorage", "validateSample", "createSample"])
    #expect(stored.inEffect == [])
    #expect(stored.turnedBack?.step == "storeSample")
    #expect(stored.turnedBack?.code == "timeout")

    let refused = try #require(exploration.run("allocateStorage", .fails))
    #expect(refused.end == .compensated)
    #expect(refused.undone == ["validateSample", "createSample"])

    let notHappened = try #require(exploration.run("createSample", .timesOut(happened: false)))
    #expect(notHappened.end == .compensated)
    #expect(notHappened.undone == [])

    let kept = try #require(exploration.run("scheduleSequencing", .undoFailsForGood))
    #expect(kept.end == .stuck)
    #expect(kept.stuckOn.map { "\($0.phase) \($0.step)" } == ["undo scheduleSequencing"])
    #expect(
      kept.inEffect == ["createSample", "validateSample", "allocateStorage", "storeSample", "scheduleSequencing"])
    #expect(kept.causes == [Fault("notify", .fails)])

    let late = try #require(exploration.run("allocateStorage", .undoFails(times: 9)))
    #expect(late.end == .compensated)
    #expect(late.inEffect == [])

    for step in ["createSample", "storeSample", "scheduleSequencing", "notify"] {
      // The robot moves once: its attempt that the crash cut off is not made again.
      let end: Invariant.End = step == "storeSample" ? .compensated : .completed
      #expect(exploration.run(step, .crashes(beforeRecord: true))?.end == end)
      #expect(exploration.run(step, .crashes(beforeRecord: false))?.end == .completed)
    }
  }

  @Test(
    "No failure of a laboratory's workflow breaks what must hold, leaves work behind, or ends nowhere",
    arguments: [
      "accession-and-storage", "sequencing-run", "incoming-qc", "library-prep", "pooling-and-lanes",
      "demultiplex-and-deliver", "unload-flow-cell",
    ])
  func laboratory(name: String) throws {
    let definition = try shipped(name)
    let exploration = try Explorer(definition).explore()
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns[0].end == .completed)
    #expect(!exploration.isBroken)
    #expect(exploration.leftBehind == [])
    #expect(exploration.runs.allSatisfy { $0.end != nil })
    #expect(definition.pivots.isEmpty == (name == "incoming-qc"))
    guard let pivot = definition.pivots.first else { return }
    // Behind the pivot nothing is undone: the saga completes, or waits for an operator.
    let behind = definition.steps.filter { !$0.action.isGroup && definition.ancestors[$0.index].contains(pivot) }
      .map(\.id)
    for run in exploration.runs where run.faults.contains(where: { behind.contains($0.step) && $0.phase == .forward }) {
      #expect(run.end == .completed || run.end == .stuck, "\(run.faults)")
      #expect(run.undone == [], "\(run.faults)")
    }
  }

  @Test("A top-up leaves nothing behind but a run that can't be cancelled any more")
  func topUp() throws {
    let exploration = try Explorer(try shipped("top-up")).explore()
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns[0].end == .completed)
    #expect(!exploration.isBroken)
    #expect(exploration.runs.allSatisfy { $0.end != nil })
    #expect(Set(exploration.leftBehind.flatMap { $0.leftBehind(of: exploration.definition) }) == ["scheduleRun"])
    #expect(exploration.leftBehind.allSatisfy { run in run.faults.contains { $0.phase == .undo } })
  }

  @Test("Every wait and every call for one item of incoming-qc is explored")
  func incomingQC() throws {
    let exploration = try Explorer(try shipped("incoming-qc")).explore()
    // The first sample fails, and so the customer is asked.
    let route = try #require(exploration.routes.first)
    #expect(route.answers.outputs["evaluate"]?["verdict"] == "fail")
    for step in exploration.definition.steps where step.forEach != nil {
      #expect(route.run.state.items(of: step.id)?.begun == 1, "\(step.id)")
    }
    let silent = try #require(exploration.runs.first { $0.faults.first?.kind == .signalNever && $0.end == .completed })
    #expect(silent.faults.first.map { ItemID.step(of: $0.step) } == "customerDecision")
    let refused = exploration.runs.filter { run in
      run.faults.contains { ItemID.step(of: $0.step) == "record" && $0.kind == .fails }
    }
    #expect(refused.map(\.end) == [.compensated])
    #expect(refused.first?.undone.map { ItemID.step(of: $0) }.contains("askCustomer") == true)
  }

  @Test("A pair of failures of the shipped workflow leaves nothing behind", arguments: shippedNames)
  func shippedPairs(name: String) throws {
    let exploration = try Explorer(try shipped(name)).explore(pairs: true)
    let pairs = try #require(exploration.pairs)
    #expect(pairs.played == pairs.count)
    #expect(pairs.count > 1_000)
    #expect(pairs.news.allSatisfy { $0.leftBehind.isEmpty && $0.broken.isEmpty })
    #expect(pairs.ends.values.reduce(0, +) == pairs.played)
  }

  /// The workflows of `docs/patterns.md`.
  static let patterns = ((try? Repository.blocks("json", of: "docs/patterns.md")) ?? []).filter { $0.hasPrefix("{") }

  @Test("Each pattern completes with made answers, comes to rest under every failure, and leaves nothing behind")
  func patterns() throws {
    #expect(Self.patterns.count >= 9)
    for text in Self.patterns {
      let exploration = try explore(text)
      let name = exploration.definition.name
      #expect(exploration.routeRuns.first?.end == .completed, "\(name)")
      #expect(exploration.leftBehind == [], "\(name)")
      #expect(exploration.all.allSatisfy { $0.end != nil }, "\(name)")
      #expect(
        exploration.gaps.allSatisfy { gap in
          switch gap {
          case .undoNeverRuns: true
          case .incomplete, .neverRuns, .neverSkipped, .bodyNotFound: false
          }
        }, "\(name): \(exploration.gaps)")
    }
  }

  // MARK: Planted mistakes

  @Test("An undo that forgets unknown outcomes leaves work behind, and breaks the invariant that says so")
  func undoThatForgets() throws {
    let text = Small.workflow(
      [Small.put("reserve", undo: #", "appliesTo": ["succeeded"]"#), Small.put("pay")].joined(separator: ", "),
      more: #""invariants": ["compensated => undone(reserve)", "compensated => undone(pay)"],"#)
    let exploration = try explore(text)
    let left = exploration.leftBehind.map { $0.faults.map(\.kind) }
    #expect(left == [[.timesOut(happened: true)], [.answersLate], [.arrivesLate]])
    #expect(exploration.runs(breaking: 0).map { $0.faults.map(\.kind) } == left)
    #expect(exploration.runs(breaking: 1) == [])
    #expect(exploration.isBroken)
    #expect(exploration.run("reserve", .timesOut(happened: true))?.inEffect == ["reserve"])
  }

  @Test("A step without compensation is never undone")
  func missingCompensation() throws {
    let exploration = try explore(
      Small.workflow(
        [
          Small.put("reserve"), Small.bare("charge"), Small.bare("mail", #", "compensation": "none""#),
          #"{ "id": "look", "http": { "service": "s", "method": "GET", "path": "/x" } }"#, Small.put("ship"),
        ].joined(separator: ", ")))
    #expect(exploration.neverUndone.map(\.step) == ["charge", "mail"])
    #expect(exploration.neverUndone.map(\.why) == [.noCompensation, .saysNone])
    #expect(exploration.run("ship", .fails)?.inEffect == ["charge", "mail"])
    #expect(exploration.run("ship", .fails)?.undone == ["reserve"])
  }

  @Test("Behind a pivot nothing is undone, and a failure is stuck")
  func pivot() throws {
    let exploration = try explore(
      Small.workflow(
        [Small.put("reserve"), Small.bare("load", #", "pivot": true"#), Small.put("release")].joined(separator: ", "),
        more: #""invariants": ["completed => succeeded(release)", "stuck => happened(load)"],"#))
    #expect(exploration.neverUndone.map(\.step) == ["load", "release"])
    #expect(exploration.neverUndone.map(\.why) == [.pivot, .behindPivot])
    let stuck = try #require(exploration.run("release", .fails))
    #expect(stuck.end == .stuck)
    #expect(stuck.stuckOn.map { "\($0.phase) \($0.step)" } == ["forward release"])
    #expect(stuck.inEffect == ["reserve", "load"])
    #expect(exploration.gaps == [.undoNeverRuns("release")])
    #expect(exploration.run("load", .fails)?.end == .compensated)
    #expect(exploration.run("load", .fails)?.undone == ["reserve"])
    // The pivot may have happened, so an operator decides.
    #expect(exploration.run("load", .timesOut(happened: false))?.end == .stuck)
    #expect(exploration.runs(breaking: 0) == [])
    let broken = exploration.runs(breaking: 1).map { $0.faults.map(\.words) }
    #expect(broken.contains(["times out without having happened"]))
  }

  @Test("A service without tombstones may do the work after its undo")
  func tombstones() throws {
    let workflow = try definition(Small.workflow(Small.put("reserve")))
    #expect(try Explorer(workflow).explore().run("reserve", .arrivesLate)?.end == .compensated)
    var explorer = Explorer(workflow)
    explorer.keepsTombstones = false
    let late = try #require(try explorer.explore().run("reserve", .arrivesLate))
    // The engine does not trust the 404, asks for ten attempts, and then an operator must look.
    #expect(late.end == .stuck)
    #expect(late.inEffect == ["reserve"])
  }

  // MARK: Conditions, signals and failures on purpose

  private static let check = #"""
    { "id": "qc", "http": { "service": "s", "method": "GET", "path": "/qc" } },
    { "id": "refuse", "when": "$.steps.qc.output.rin < 7", "fail": { "code": "TOO_POOR" } },
    { "id": "alert", "when": "$.input.priority == 'urgent' && $.steps.qc.output.rin > 5",
      "http": { "service": "s", "method": "POST", "path": "/alerts" }, "compensation": "none", "onFailure": "continue" }
    """#

  @Test("Answers are chosen so that each condition is true in one run and false in another")
  func conditions() throws {
    let exploration = try explore(Small.workflow(Small.put("reserve") + "," + Self.check))
    #expect(exploration.gaps == [])
    let first = try #require(exploration.routeRuns.first)
    #expect(first.end == .completed)
    #expect(first.skipped == ["refuse"])
    #expect(exploration.routes.dropFirst().map(\.step) == ["refuse", "alert"])
    #expect(exploration.routeRuns[1].end == .compensated)
    #expect(exploration.routeRuns[1].turnedBack?.code == "TOO_POOR")
    #expect(exploration.routeRuns[1].undone == ["reserve"])
    #expect(exploration.routeRuns[2].end == .completed)
    #expect(exploration.routeRuns[2].skipped == ["refuse", "alert"])
    #expect(exploration.run("alert", .fails)?.passedFailures == ["alert"])
    #expect(exploration.run("alert", .fails)?.end == .completed)
  }

  @Test("A step that handles a failure is played with that failure")
  func handler() throws {
    let exploration = try explore(
      Small.workflow(
        [
          Small.put("fetch", #", "onFailure": "continue""#),
          Small.put("fallback", #", "when": "$.steps.fetch.status == 'failed'""#),
        ].joined(separator: ", ")))
    #expect(exploration.routeRuns.map(\.skipped) == [["fallback"]])
    let handled = try #require(exploration.run("fallback", .fails))
    #expect(handled.causes == [Fault("fetch", .fails)])
    #expect(handled.end == .compensated)
    // Only two failures at a time make the saga undo what an answer of the first step left unknown.
    #expect(exploration.gaps == [.undoNeverRuns("fetch")])
    #expect(exploration.run("fallback", .undoFailsForGood)?.end == .stuck)
    #expect(
      exploration.run("fallback", .undoFailsForGood)?.causes == [
        Fault("fallback", .timesOut(happened: true)), Fault("fetch", .fails),
      ])
  }

  @Test("A signal comes as its schema and its condition want it; never coming and being refused are played")
  func signal() throws {
    let text = Small.workflow(
      Small.put("reserve") + ","
        + #"""
        { "id": "approve", "timeout": "1h",
          "signal": { "name": "approval", "accept": "$.signal.approved == true",
            "schema": { "type": "object", "required": ["approved", "by"],
              "properties": { "approved": { "type": "boolean" }, "by": { "type": "string", "pattern": "^[a-z]{3}\\d$" } } } } }
        """#)
    let exploration = try explore(text)
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns.map(\.end) == [.completed])
    #expect(exploration.routes[0].answers.outputs["approve"]?["approved"] == true)
    for kind in [Fault.Kind.signalNever, .signalRefused] {
      let run = try #require(exploration.run("approve", kind))
      #expect(run.end == .compensated)
      #expect(run.turnedBack?.code == "signal.timeout")
      #expect(run.undone == ["reserve"])
    }
  }

  @Test("A group is skipped with its members, and its timeout undoes what they did")
  func group() throws {
    let group = #"""
      { "id": "thawed", "when": "$.input.isFrozen == true", "timeout": "25s", "steps": [TAKE, USE] }
      """#
    let exploration = try explore(
      Small.workflow(
        Small.put("reserve") + ","
          + group.replacing("TAKE", with: Small.put("take")).replacing("USE", with: Small.put("use"))))
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns.map(\.end) == [.completed, .completed])
    #expect(exploration.routeRuns.map(\.skipped) == [[], ["thawed", "take", "use"]])
    // The third attempt is under way when the time of the group is up.
    let late = try #require(exploration.run("take", .timesOut(happened: true)))
    #expect(late.end == .compensated)
    #expect(late.turnedBack?.step == "thawed")
    #expect(late.turnedBack?.code == "group.timeout")
    #expect(late.undone == ["take", "reserve"])
    // The engine is down when the time of the group runs out, and take was under way.
    let down = try #require(exploration.run("thawed", .groupTimesOut(member: "take", downtime: .seconds(26))))
    #expect(down.end == .compensated)
    #expect(down.turnedBack?.code == "group.timeout")
    #expect(down.undone == ["take", "reserve"])
  }

  @Test("A saga that is stuck on a failure compensates at its timeout, because no operator acts")
  func leftToOperator() throws {
    let exploration = try explore(
      Small.workflow(Small.put("reserve") + "," + Small.bare("load", #", "onFailure": "stuck""#)))
    let stuck = try #require(exploration.run("load", .fails))
    #expect(stuck.stuckUntilTimeout == ["load"])
    #expect(stuck.turnedBack?.code == "saga.timeout")
    #expect(stuck.undone == ["reserve"])
    #expect(stuck.end == .compensated)
  }

  @Test("A wait without schema and condition takes every signal, so none is refused")
  func openSignal() throws {
    let exploration = try explore(
      Small.workflow(#"{ "id": "loaded", "signal": { "name": "loaded" }, "timeout": "1h" }"#))
    #expect(exploration.gaps == [])
    #expect(exploration.runs.map(\.faults) == [[Fault("loaded", .signalNever)]])
  }

  @Test("A condition that no answer turns is said, and never forced")
  func unreachable() throws {
    let exploration = try explore(
      Small.workflow(Small.put("reserve") + "," + Small.put("old", #", "when": "$.saga.version > 1""#)))
    #expect(exploration.gaps.contains(.neverRuns("old")))
    #expect(exploration.runs.allSatisfy { $0.faults.first?.step != "old" })
  }

  // MARK: Answers

  @Test("Answers have what later steps read, and given ones are never changed")
  func answers() throws {
    let workflow = try definition(
      Small.workflow(
        Small.put("reserve") + ","
          + #"""
          { "id": "move", "when": "count($.steps.reserve.output.tubes[?@.volumeUl > 5]) >= 1 && $.input.isFragile == true",
            "http": { "service": "s", "method": "POST", "path": "/moves/${steps.reserve.output.rack.id}",
              "body": { "tubes": "${list(steps.reserve.output.tubes[*].barcode)}",
                        "until": "${seconds(steps.reserve.output.until) + 60}" } }, "compensation": "none" }
          """#))
    let exploration = try Explorer(workflow).explore()
    #expect(exploration.gaps == [])
    #expect(exploration.routeRuns.first?.end == .completed)
    #expect(exploration.routeRuns.first?.skipped == [])
    #expect(exploration.routes.count == 2)

    var explorer = Explorer(workflow)
    explorer.given = GivenAnswers(input: ["isFragile": false])
    let given = try explorer.explore()
    #expect(given.routes.map(\.answers.input) == [["isFragile": false]])
    #expect(given.gaps.contains(.neverRuns("move")))

    explorer.given = GivenAnswers(outputs: ["resreve": [:]])
    do {
      _ = try explorer.explore()
      Issue.record("The answers were taken.")
    } catch {
      #expect(error.code == "rehearsal.badAnswers")
      #expect(
        error.message == "The answers name “resreve”, and the workflow has no such step (did you mean “reserve”?).")
    }
  }

  @Test("An input that can't be made is an error that says how to give one")
  func noInput() throws {
    let workflow = try definition(
      Small.workflow(
        Small.put("a"),
        more: #""inputSchema": { "type": "object", "properties": { "x": { "not": true } }, "required": ["x"] },"#))
    do {
      _ = try Explorer(workflow).explore()
      Issue.record("An input was made.")
    } catch {
      #expect(error.code == "rehearsal.noInput")
      #expect(error.message.hasSuffix("Give one: --input FILE."))
    }
  }

  @Test("Answers with which the saga fails are said")
  func incomplete() throws {
    let exploration = try explore(
      Small.workflow(
        Small.put("a") + ","
          + #"{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/${steps.a.output.list[5:]}" } }"#))
    guard case .incomplete(let step, _)? = exploration.gaps.first else {
      Issue.record("\(exploration.gaps)")
      return
    }
    #expect(step == "b")
  }

  // MARK: Pairs

  @Test("A pair that breaks what no failure alone breaks is found")
  func pairs() throws {
    let text = Small.workflow(
      ["mail", "sms"].map { Small.bare($0, #", "compensation": "none", "onFailure": "continue""#) }
        .joined(separator: ", "),
      more: #""invariants": ["completed => succeeded(mail) || succeeded(sms)"],"#)
    let singles = try explore(text)
    #expect(!singles.isBroken)
    let exploration = try explore(text, pairs: true)
    #expect(exploration.isBroken)
    let pairs = try #require(exploration.pairs)
    #expect(pairs.count == 36)
    let broken = pairs.news.filter { $0.broken == [0] }
    // Each may fail for good, or time out in two ways, or answer late.
    #expect(broken.count == 16)
    #expect(broken.first?.run.faults == [Fault("mail", .fails), Fault("sms", .fails)])
  }

  @Test("Of many pairs, evenly spread ones are played, and few are listed")
  func bounds() throws {
    var explorer = Explorer(try shipped("sample-processing"))
    explorer.budget.pairs = 50
    let pairs = try #require(try explorer.explore(pairs: true).pairs)
    #expect(pairs.played <= 50)
    #expect(pairs.played > 40)
    #expect(pairs.count > 1_000)
    explorer.budget.events = 100
    #expect(throws: RehearsalError.self) { try explorer.explore() }
  }

  @Test("The same workflow gives the same exploration")
  func deterministic() throws {
    let text = Small.workflow(Small.put("reserve") + "," + Self.check)
    #expect(try explore(text, pairs: true).json == explore(text, pairs: true).json)
  }
}

extension Exploration {
  /// Returns the run with this one fault.
  func run(_ step: String, _ kind: Fault.Kind) -> ExploredRun? { runs.first { $0.faults == [Fault(step, kind)] } }
}

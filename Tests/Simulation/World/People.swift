import JSON
import Persistence
import Runtime
import SagaCore
import Values
import WorkflowEngine
import Workflows

// The people around the engine: clients that start sagas, senders of signals, operators, and an observer. The observer
// checks that the engine shows what is stored.
extension World {
  // MARK: Clients

  func client(_ plan: Scenario.SagaPlan) async {
    await wait(until: plan.at)
    await start(plan, input: input(plan, value: plan.number))
    guard plan.hasKey else { return }
    var dice = Dice(scenario.seed, "client", plan.number)
    await wait(dice.time(1...60_000))
    await start(plan, input: input(plan, value: plan.number))
    guard dice.chance(30) else { return }
    await start(plan, input: input(plan, value: -1), isOther: true)
  }

  private func input(_ plan: Scenario.SagaPlan, value: Int) -> JSON {
    var flags = JSONObject()
    for (index, flag) in plan.flags.enumerated() { flags["f\(index)"] = .bool(flag) }
    var lists = JSONObject()
    for (step, keys) in scenario.items(of: plan).sorted(by: { $0.key < $1.key }) {
      lists[step] = .array(keys.enumerated().map { ["key": .string($1), "value": .int($0)] })
    }
    return ["value": .int(value), "flags": .object(flags), "items": .object(lists)]
  }

  private func start(_ plan: Scenario.SagaPlan, input: JSON, isOther: Bool = false) async {
    let key = plan.hasKey ? "key-\(plan.number)" : nil
    let request = StartRequest(
      workflow: scenario.workflows[plan.workflow].name, version: 1, input: input, idempotencyKey: key,
      by: "client-\(plan.number)")
    func answer(_ result: Answer.Result) {
      answered(
        Answer(
          request: isOther ? .startWithOtherInput(saga: plan.number) : .start(saga: plan.number, key: key), saga: nil,
          by: "client-\(plan.number)", result: result))
    }
    for _ in 0..<2_000 {
      guard let current else {
        await wait(.milliseconds(500))
        continue
      }
      do {
        let started = try await current.engine.start(request)
        if current.life.isOver {
          if key == nil { return answer(.open("the engine died")) }
          continue
        }
        if !isOther { learn(started.id, of: plan.number) }
        return answer(.done(started.id, started.isNew ? "new" : "known"))
      } catch let error as EngineError
        where error.code == "engine.notReady" || error.code == "engine.draining" || error.code == "workflow.notFound"
      {
        await wait(.milliseconds(300))
      } catch let error as EngineError {
        return answer(.refused(error.code))
      } catch {
        if key == nil { return answer(.open("\(error)")) }
        await wait(.milliseconds(300))
      }
    }
    answer(.open("no engine took it"))
  }

  // MARK: Signals

  func signaller(_ plan: Scenario.SignalPlan) async {
    await wait(until: plan.at)
    await send(plan)
  }

  func send(_ plan: Scenario.SignalPlan) async {
    guard let id = id(of: plan.saga), let current else { return }
    let identity = "sig-\(plan.repeats ?? plan.number)"
    let by = "person-\(plan.repeats ?? plan.number)"
    let result: Answer.Result
    do {
      let word = try await current.engine.signal(
        id, name: plan.name, body: ["ok": .bool(plan.isGood), "n": .int(plan.repeats ?? plan.number)],
        signalID: identity, by: by)
      result = current.life.isOver ? .open("the engine died") : .done(nil, "\(word)")
    } catch let refusal as Refusal {
      result = current.life.isOver ? .open("the engine died") : .refused(refusal.code)
    } catch {
      result = .open("\(error)")
    }
    answered(
      Answer(request: .signal(number: plan.number, identity: identity), saga: id, by: by, result: result))
  }

  // MARK: Operators

  func operate(_ plan: Scenario.ActPlan) async {
    await wait(until: plan.at)
    guard let id = id(of: plan.saga), let current else { return }
    var dice = Dice(scenario.seed, "act", plan.number)
    let steps = scenario.sagas.first { $0.number == plan.saga }.map { scenario.workflows[$0.workflow].steps.map(\.id) }
    var verb = Self.verb(
      dice.pick(OperatorVerb.Name.allCases), step: dice.chance(70) ? dice.pick(steps ?? ["a"]) : nil, &dice)
    var seen: Int?
    if plan.looksFirst {
      guard let now = try? await current.engine.saga(id) else { return }
      let allowed = Verbs.allowed(now.state, now.definition)
      if allowed.isEmpty { return }
      var one = dice.pick(allowed)
      var among = one.steps
      // Rules 6 and 12 are the most entangled: a pivot that can be skipped often is.
      let pivots = now.definition.steps.filter(\.pivot).map(\.id)
      if let skip = allowed.first(where: { $0.verb == .skip }), case let skippable = skip.steps.filter(pivots.contains),
        !skippable.isEmpty, dice.chance(60)
      {
        (one, among) = (skip, skippable)
      }
      verb = Self.verb(one.verb, step: among.isEmpty ? nil : dice.pick(among), &dice)
      if let itemwise = actOnItem(of: now.state, plan.number) { verb = itemwise }
      if dice.chance(30) { seen = now.state.version }
    }
    if dice.chance(12) { verb = Self.verb(.migrate, step: nil, &dice) }
    guard let verb else { return }
    let by = "operator-\(plan.number)"
    let commandID = plan.isDeliveredTwice ? "command-\(plan.number)" : nil
    let request = OperatorRequest(
      verb, by: OperatorAct(by: by, reason: "to see what happens", commandID: commandID), expectedVersion: seen)
    await ask(id, request, by: by, commandID: commandID)
    if case .skip(let step, _) = verb, let workflow = scenario.sagas.first(where: { $0.number == plan.saga })?.workflow,
      scenario.workflows[workflow].step(step)?.isPivot == true, dice.chance(50)
    {
      await wait(dice.time(1...30_000))
      let second = OperatorRequest(.cancel, by: OperatorAct(by: "\(by) again", reason: "to see what happens"))
      await ask(id, second, by: "\(by) again")
    }
    guard plan.isDeliveredTwice else { return }
    await wait(dice.time(1...30_000))
    await ask(id, request, by: by, commandID: commandID)
  }

  /// Returns what an operator does about one item that has failed; nil for no such item, and often.
  private func actOnItem(of state: SagaState, _ number: Int) -> OperatorVerb? {
    var dice = Dice(scenario.seed, "act on an item", number)
    let failed = state.steps.flatMap { step in
      let items = state.items(of: step.id)
      return (0..<(items?.begun ?? 0)).compactMap { number -> StepState? in
        guard let item = items?[number] else { return nil }
        return item.status == .failed || item.status == .undoFailed ? item : nil
      }
    }
    guard !failed.isEmpty, dice.chance(60) else { return nil }
    let item = dice.pick(failed)
    return Self.verb(
      item.status == .failed ? dice.pick([.retry, .retry, .skip, .resolve]) : dice.pick([.retry, .resolve]),
      step: item.id, &dice)
  }

  func ask(_ id: UniqueID, _ request: OperatorRequest, by: String, commandID: String? = nil) async {
    guard let current else { return }
    let result: Answer.Result
    do {
      let state = try await current.engine.operate(id, request)
      result = current.life.isOver ? .open("the engine died") : .done(nil, state.status.rawValue)
    } catch let refusal as Refusal {
      result = current.life.isOver ? .open("the engine died") : .refused(refusal.code)
    } catch {
      result = .open("\(error)")
    }
    answered(Answer(request: .act(request.verb, commandID: commandID), saga: id, by: by, result: result))
  }

  private static func verb(_ name: OperatorVerb.Name, step: String?, _ dice: inout Dice) -> OperatorVerb? {
    switch name {
    case .cancel: .cancel
    case .compensate: .compensate
    case .pause: .pause
    case .resume: .resume
    case .abandon: dice.chance(30) ? .abandon : .pause
    case .retry:
      .retry(
        step: step, input: step != nil && dice.chance(20) ? ["value": 7, "flags": .object(JSONObject())] : nil)
    case .resolve:
      step.map { step in
        switch dice.number(0...2) {
        case 0: .resolve(step: step, .happened(output: ["n": 1_000]))
        case 1: .resolve(step: step, .didNotHappen)
        default: .resolve(step: step, .undone)
        }
      }
    case .skip: step.map { .skip(step: $0, output: dice.chance(50) ? ["n": 2_000] : nil) }
    case .runNow: .runNow(step: step)
    case .extend: .extend(step: step, .by(dice.time(1_000...600_000)))
    case .rewind: step.map { .rewind(step: $0) }
    case .migrate: .migrate(to: dice.chance(70) ? 2 : 1)
    }
  }

  // MARK: Looking

  /// Compares what the engine holds in memory with the fold of what is stored. Saves a snapshot now and then: the next one
  /// that reads the saga begins with it.
  func look() async {
    var dice = Dice(scenario.seed, "look", (now - clock.start).wholeMilliseconds)
    for saga in scenario.sagas {
      guard let id = id(of: saga.number), let current else { continue }
      do {
        let live = try await current.engine.saga(id).state
        let folded = try await current.engine.saga(id, version: live.version).state
        if live != folded {
          report(Violation("1 state is the fold of the events", name(of: id), "version \(live.version) differs"))
        }
        if dice.chance(50) {
          try? await memory.save(Snapshot(stream: id, version: live.version, data: live.snapshotText))
        }
      } catch {
        continue
      }
    }
  }

  func onlooker() async {
    var dice = Dice(scenario.seed, "onlooker")
    for _ in 0..<5 {
      await wait(dice.time(10...60_000))
      await look()
    }
  }

  // MARK: The caretaker

  /// Once the world is healed, a careful operator brings every saga to its end: resumes, sends the signals that are waited
  /// for, retries what is blocked, and then goes to look and says what has become of it.
  func takeCare() async {
    var tried: Set<String> = []
    for turn in 0..<60 {
      var isOpen = false
      for saga in scenario.sagas {
        guard let id = storedID(of: saga.number), let current, let now = try? await current.engine.saga(id).state,
          now.end == nil
        else { continue }
        isOpen = true
        // The name is that of one act, because an answer is compared with the history by it.
        var acts = 0
        func ask(_ verb: OperatorVerb) async {
          let by = "caretaker-\(saga.number)-\(turn)" + (acts == 0 ? "" : "-\(acts)")
          acts += 1
          await self.ask(id, OperatorRequest(verb, by: OperatorAct(by: by, reason: "to bring it to its end")), by: by)
        }
        func sendWhatIsAwaited() async -> Bool {
          let items = now.steps.flatMap { step in now.items(of: step.id).map(all) ?? [] }
          func awaited(_ step: StepState) -> String? { (step.wait ?? step.undoWait)?.signal }
          guard let name = (Array(now.steps) + items).compactMap(awaited).first else { return false }
          // Each item that waits takes one signal.
          let waiting = items.count { awaited($0) == name }
          for index in 0..<max(1, waiting) {
            let number = 100_000 + (saga.number * 100 + turn) * 100 + index
            await send(
              Scenario.SignalPlan(number: number, saga: saga.number, name: name, at: .zero, isGood: true))
          }
          return true
        }
        let plan = scenario.workflows[saga.workflow]
        // A group that is late opens again only after its members are free.
        let blockers = now.blockers.sorted { one, other in
          plan.step(one.step)?.isGroup == false && plan.step(other.step)?.isGroup == true
        }
        if now.isPaused {
          await ask(.resume)
        } else if let blocker = blockers.first, plan.step(blocker.step)?.isGroup == true {
          // A group opens for its whole time again. A group inside it opens with it.
          _ = await sendWhatIsAwaited()
          await ask(.retry(step: nil))
        } else if let blocker = blockers.first, ItemName(blocker.step) != nil {
          // The undos of several items may have failed.
          for blocker in blockers where ItemName(blocker.step) != nil {
            let key = Self.key(id, of: now.step(blocker.step))
            if tried.insert("\(key) \(blocker.phase)").inserted {
              await ask(.retry(step: blocker.step))
            } else {
              for verb in answers(to: blocker, key: key, outcome: now.step(blocker.step)?.outcome) { await ask(verb) }
            }
          }
        } else if let blocker = blockers.first, plan.step(blocker.step)?.forEach != nil {
          let failed = (now.items(of: blocker.step).map(all) ?? []).filter { $0.status == .failed }
          if failed.isEmpty || tried.insert("\(id)/\(blocker.step)").inserted {
            await ask(.retry(step: blocker.step))
          } else {
            for item in failed {
              let verbs = answers(to: item.id, .forward, key: Self.key(id, of: item), outcome: item.outcome)
              for verb in verbs { await ask(verb) }
            }
            // An item that did not happen stays failed.
            await ask(.retry(step: nil))
          }
        } else if let blocker = blockers.first {
          let key = Self.key(id, of: now.step(blocker.step))
          if tried.insert("\(key) \(blocker.phase)").inserted {
            await ask(.retry(step: blocker.step))
          } else {
            for verb in answers(to: blocker, key: key, outcome: now.step(blocker.step)?.outcome) { await ask(verb) }
          }
        } else if turn > 20, await self.free(now, plan, ask) {
          continue
        } else {
          _ = await sendWhatIsAwaited()
        }
      }
      if !isOpen { return }
      await wait(.seconds(7_200))
    }
  }

  /// Frees a saga that waits for a turn which another saga holds while it waits for a turn of this one.
  /// - Returns: whether there was something to free.
  private func free(
    _ saga: SagaState, _ plan: WorkflowPlan, _ ask: (OperatorVerb) async -> Void
  ) async -> Bool {
    if saga.turns.contains(where: { !$0.isTaken && $0.phase == .undo }) {
      await ask(.abandon)
      return true
    }
    guard let step = saga.steps.first(where: { $0.isQueued && plan.step($0.id)?.isGroup == false }) else {
      return false
    }
    await ask(.skip(step: step.id, output: ["n": 3_000]))
    return true
  }

  /// Returns the idempotency key of a step or an item in its round.
  private static func key(_ saga: UniqueID, of step: StepState?) -> String {
    "\(saga)/\(ItemName.path(of: step?.id ?? ""))/\(step?.round ?? 0)"
  }

  private func all(_ items: ItemStates) -> [StepState] { (0..<items.begun).map { items[$0] } }

  private func answers(to blocker: Blocker, key: String, outcome: RoundOutcome?) -> [OperatorVerb] {
    answers(to: blocker.step, blocker.phase, key: key, outcome: outcome)
  }

  /// Returns the verbs that answer a blocked step, by the participant's records.
  private func answers(to step: String, _ phase: StepPhase, key: String, outcome: RoundOutcome?) -> [OperatorVerb] {
    switch phase {
    case .undo:
      books.undoByHand(key, at: now)
      return [.resolve(step: step, .undone)]
    case .forward:
      // An attempted point of no return can't be skipped: then it was done by hand.
      guard outcome == .unknown else {
        return [.skip(step: step, output: ["n": 3_000]), .resolve(step: step, .happened(output: ["n": 3_000]))]
      }
      let isDone = books.effect(key)?.stands ?? false
      return [.resolve(step: step, isDone ? .happened(output: ["n": 1_000]) : .didNotHappen)]
    }
  }
}

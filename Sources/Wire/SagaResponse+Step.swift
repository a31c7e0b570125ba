import JSON
import Values

extension SagaResponse {
  /// A step of the saga.
  public struct Step: WireValue {
    public let id: String
    public let description: String?
    public let status: String
    public let dependsOn: [String]
    /// The group that has the step; nil for a step of the workflow itself.
    public let group: String?
    public let action: Action
    /// Set for a step with `forEach` that has begun.
    public let items: Items?
    /// Set for a step that polls.
    public let poll: Poll?
    /// Set while the step, or its undo, waits for a worker, or a worker has its task.
    public let task: TaskState?
    /// The child that the step has started.
    public let child: Child?
    public let pivot: Bool
    public let round: Int
    /// The number of attempts in this round.
    public let attempt: Int
    /// The number that the last attempt can have; nil for a step without attempts.
    public let maxAttempts: Int?
    public let startedAt: Timestamp?
    public let endedAt: Timestamp?
    /// The time of the next attempt, while the step is backing off.
    public let retryAt: Timestamp?
    /// The time at which the wait ends, while the step waits.
    public let until: Timestamp?
    public let waitingFor: Waiting?
    /// Set while the step, or its undo, holds a turn or waits for one.
    public let turn: Turn?
    public let progress: Progress?
    public let overdue: Overdue?
    public let input: JSON?
    public let output: JSON?
    /// The reason why the answer could not be read.
    public let outputError: Failure?
    public let error: Failure?
    public let undo: Undo?
    /// The verbs that the saga takes for an item now. Empty for a step: the saga's verbs name it.
    public let verbs: [String]

    public init(
      id: String, description: String? = nil, status: String, dependsOn: [String], group: String? = nil, action: Action,
      items: Items? = nil, poll: Poll? = nil, task: TaskState? = nil, child: Child? = nil, pivot: Bool,
      round: Int, attempt: Int, maxAttempts: Int? = nil, startedAt: Timestamp? = nil, endedAt: Timestamp? = nil,
      retryAt: Timestamp? = nil, until: Timestamp? = nil, waitingFor: Waiting? = nil, turn: Turn? = nil,
      progress: Progress? = nil,
      overdue: Overdue? = nil, input: JSON? = nil, output: JSON? = nil, outputError: Failure? = nil,
      error: Failure? = nil, undo: Undo? = nil, verbs: [String] = []
    ) {
      self.id = id
      self.description = description
      self.status = status
      self.dependsOn = dependsOn
      self.group = group
      self.action = action
      self.items = items
      self.poll = poll
      self.task = task
      self.child = child
      self.pivot = pivot
      self.round = round
      self.attempt = attempt
      self.maxAttempts = maxAttempts
      self.startedAt = startedAt
      self.endedAt = endedAt
      self.retryAt = retryAt
      self.until = until
      self.waitingFor = waitingFor
      self.turn = turn
      self.progress = progress
      self.overdue = overdue
      self.input = input
      self.output = output
      self.outputError = outputError
      self.error = error
      self.undo = undo
      self.verbs = verbs
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      description = try members.textIfAny("description")
      status = try members.text("status")
      dependsOn = try members.texts("dependsOn")
      group = try members.textIfAny("group")
      action = try members.one("action")
      items = try members.oneIfAny("items")
      poll = try members.oneIfAny("poll")
      task = try members.oneIfAny("task")
      child = try members.oneIfAny("child")
      pivot = try members.bool("pivot")
      round = try members.int("round")
      attempt = try members.int("attempt")
      maxAttempts = try members.intIfAny("maxAttempts")
      startedAt = try members.timeIfAny("startedAt")
      endedAt = try members.timeIfAny("endedAt")
      retryAt = try members.timeIfAny("retryAt")
      until = try members.timeIfAny("until")
      waitingFor = try members.oneIfAny("waitingFor")
      turn = try members.oneIfAny("turn")
      progress = try members.oneIfAny("progress")
      overdue = try members.oneIfAny("overdue")
      input = members.jsonIfAny("input")
      output = members.jsonIfAny("output")
      outputError = try members.oneIfAny("outputError")
      error = try members.oneIfAny("error")
      undo = try members.oneIfAny("undo")
      verbs = try members.textsIfAny("verbs") ?? []
    }

    public var json: JSON {
      .members([
        "id": .string(id), "description": .text(description), "status": .string(status),
        "dependsOn": .texts(dependsOn), "group": .text(group), "action": action.json, "items": items?.json,
        "poll": poll?.json, "task": task?.json, "child": child?.json,
        "pivot": .bool(pivot),
        "round": .int(round),
        "attempt": .int(attempt), "maxAttempts": .integer(maxAttempts), "startedAt": .time(startedAt),
        "endedAt": .time(endedAt), "retryAt": .time(retryAt), "until": .time(until), "waitingFor": waitingFor?.json,
        "turn": turn?.json, "progress": progress?.json, "overdue": overdue?.json, "input": input, "output": output,
        "outputError": outputError?.json, "error": error?.json, "undo": undo?.json, "verbs": .textsIfAny(verbs),
      ])
    }

    /// A child of the saga.
    public struct Child: WireValue {
      public let id: String
      /// What people see first of the child; nil when it has no title, and when the child is not known.
      public let title: String?
      public let workflow: String
      public let version: Int
      /// Nil when it is not known, and in a saga as it was.
      public let status: String?

      public init(id: String, title: String? = nil, workflow: String, version: Int, status: String? = nil) {
        self.id = id
        self.title = title
        self.workflow = workflow
        self.version = version
        self.status = status
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        id = try members.text("id")
        title = try members.textIfAny("title")
        workflow = try members.text("workflow")
        version = try members.int("version")
        status = try members.textIfAny("status")
      }

      public var json: JSON {
        .members([
          "id": .string(id), "title": .text(title), "workflow": .string(workflow), "version": .int(version),
          "status": .text(status),
        ])
      }
    }

    /// The items of a step with `forEach`.
    public struct Items: WireValue {
      public let count: Int
      public let maxParallel: Int
      /// The number of items that may fail.
      public let tolerated: Int
      /// The number of items by their status. A status without items is not there.
      public let statuses: [(status: String, count: Int)]

      public init(count: Int, maxParallel: Int, tolerated: Int, statuses: [(status: String, count: Int)]) {
        self.count = count
        self.maxParallel = maxParallel
        self.tolerated = tolerated
        self.statuses = statuses
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        count = try members.int("count")
        maxParallel = try members.int("maxParallel")
        tolerated = try members.int("tolerated")
        statuses = (try members.json("statuses").objectValue ?? [:]).map { ($0, $1.intValue ?? 0) }
      }

      public var json: JSON {
        .members([
          "count": .int(count), "maxParallel": .int(maxParallel), "tolerated": .int(tolerated),
          "statuses": .object(JSONObject(statuses.map { ($0.status, JSON.int($0.count)) })),
        ])
      }
    }

    /// What the step does.
    public struct Action: WireValue {
      public let kind: String
      public let service: String?
      public let method: String?
      public let command: String?
      public let signal: String?
      /// Of a task.
      public let queue: String?
      public let roles: [String]
      /// The name of the child's workflow.
      public let workflow: String?

      public init(
        kind: String, service: String? = nil, method: String? = nil, command: String? = nil, signal: String? = nil,
        queue: String? = nil, roles: [String] = [], workflow: String? = nil
      ) {
        self.kind = kind
        self.service = service
        self.method = method
        self.command = command
        self.signal = signal
        self.queue = queue
        self.roles = roles
        self.workflow = workflow
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        kind = try members.text("kind")
        service = try members.textIfAny("service")
        method = try members.textIfAny("method")
        command = try members.textIfAny("command")
        signal = try members.textIfAny("signal")
        queue = try members.textIfAny("queue")
        roles = try members.textsIfAny("roles") ?? []
        workflow = try members.textIfAny("workflow")
      }

      public var json: JSON {
        .members([
          "kind": .string(kind), "service": .text(service), "method": .text(method), "command": .text(command),
          "signal": .text(signal), "queue": .text(queue), "roles": .textsIfAny(roles), "workflow": .text(workflow),
        ])
      }
    }

    /// How a step polls, and what its looks have found.
    public struct Poll: WireValue {
      public let everyMs: Int
      /// The condition on an answer with which the step succeeds.
      public let until: String
      /// The condition on an answer with which the step fails.
      public let failWhen: String?
      /// The number of the next look, or of the look under way, while the step polls.
      public let look: Int?
      /// The time of the next look, while the step polls and the saga is not paused.
      public let nextLook: Timestamp?
      /// The last answer that the history has, while the step polls.
      public let answer: Answer?

      public init(
        everyMs: Int, until: String, failWhen: String? = nil, look: Int? = nil, nextLook: Timestamp? = nil,
        answer: Answer? = nil
      ) {
        self.everyMs = everyMs
        self.until = until
        self.failWhen = failWhen
        self.look = look
        self.nextLook = nextLook
        self.answer = answer
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        everyMs = try members.int("everyMs")
        until = try members.text("until")
        failWhen = try members.textIfAny("failWhen")
        look = try members.intIfAny("look")
        nextLook = try members.timeIfAny("nextLook")
        answer = try members.oneIfAny("answer")
      }

      public var json: JSON {
        .members([
          "everyMs": .int(everyMs), "until": .string(until), "failWhen": .text(failWhen), "look": .integer(look),
          "nextLook": .time(nextLook), "answer": answer?.json,
        ])
      }

      /// An answer that did not end the poll.
      public struct Answer: WireValue {
        public let status: Int
        /// The value that `until` asks for first, as a short text.
        public let shown: String?
        /// The beginning of a digest of the status and of all values that the conditions read.
        public let digest: String
        /// The time since which the answers are the same.
        public let since: Timestamp

        public init(status: Int, shown: String? = nil, digest: String, since: Timestamp) {
          self.status = status
          self.shown = shown
          self.digest = digest
          self.since = since
        }

        public init(_ members: Members) throws(UnexpectedMember) {
          status = try members.int("status")
          shown = try members.textIfAny("shown")
          digest = try members.text("digest")
          since = try members.time("since")
        }

        public var json: JSON {
          .members([
            "status": .int(status), "shown": .text(shown), "digest": .string(digest), "since": .time(since),
          ])
        }
      }
    }

    /// A task that is offered to workers, or that a worker has.
    public struct TaskState: WireValue {
      public let id: String
      public let queue: String
      public let offeredAt: Timestamp
      /// When a worker last asked the queue; nil when none has asked since the engine started.
      public let lastAskedAt: Timestamp?
      /// The worker that has the task; nil while none has.
      public let worker: String?
      public let takenAt: Timestamp?
      /// The last heartbeat; nil before the first, and after a restart of the engine.
      public let heartbeatAt: Timestamp?
      /// When the worker has lost the task without another heartbeat.
      public let leaseUntil: Timestamp?

      public init(
        id: String, queue: String, offeredAt: Timestamp, lastAskedAt: Timestamp? = nil, worker: String? = nil,
        takenAt: Timestamp? = nil, heartbeatAt: Timestamp? = nil, leaseUntil: Timestamp? = nil
      ) {
        self.id = id
        self.queue = queue
        self.offeredAt = offeredAt
        self.lastAskedAt = lastAskedAt
        self.worker = worker
        self.takenAt = takenAt
        self.heartbeatAt = heartbeatAt
        self.leaseUntil = leaseUntil
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        id = try members.text("id")
        queue = try members.text("queue")
        offeredAt = try members.time("offeredAt")
        lastAskedAt = try members.timeIfAny("lastAskedAt")
        worker = try members.textIfAny("worker")
        takenAt = try members.timeIfAny("takenAt")
        heartbeatAt = try members.timeIfAny("heartbeatAt")
        leaseUntil = try members.timeIfAny("leaseUntil")
      }

      public var json: JSON {
        .members([
          "id": .string(id), "queue": .string(queue), "offeredAt": .time(offeredAt), "lastAskedAt": .time(lastAskedAt),
          "worker": .text(worker), "takenAt": .time(takenAt), "heartbeatAt": .time(heartbeatAt),
          "leaseUntil": .time(leaseUntil),
        ])
      }
    }

    /// What the step waits for: a signal, the end of a delay, an answer that ends its poll, or its turn.
    public struct Waiting: WireValue {
      public let kind: String
      /// The name of the signal.
      public let signal: String?
      /// When people are reminded of the wait next.
      public let remindAt: Timestamp?
      /// How often people have been reminded; nil for never.
      public let reminders: Int?

      public init(kind: String, signal: String? = nil, remindAt: Timestamp? = nil, reminders: Int? = nil) {
        self.kind = kind
        self.signal = signal
        self.remindAt = remindAt
        self.reminders = reminders
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        kind = try members.text("kind")
        let olderName = try members.textIfAny("name")
        signal = try members.textIfAny("signal") ?? olderName
        remindAt = try members.timeIfAny("remindAt")
        reminders = try members.intIfAny("reminders")
      }

      public var json: JSON {
        .members([
          "kind": .string(kind), "signal": .text(signal), "name": .text(signal), "remindAt": .time(remindAt),
          "reminders": .integer(reminders),
        ])
      }
    }

    /// A step that takes longer than expected.
    public struct Overdue: WireValue {
      public let phase: String
      public let since: Timestamp
      public let expectedMs: Int
      /// `declared` in the workflow, or `learned` from earlier runs.
      public let basis: String
      /// The number of earlier runs.
      public let samples: Int?

      public init(phase: String, since: Timestamp, expectedMs: Int, basis: String, samples: Int? = nil) {
        self.phase = phase
        self.since = since
        self.expectedMs = expectedMs
        self.basis = basis
        self.samples = samples
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        phase = try members.text("phase")
        since = try members.time("since")
        expectedMs = try members.int("expectedMs")
        basis = try members.text("basis")
        samples = try members.intIfAny("samples")
      }

      public var json: JSON {
        .members([
          "phase": .string(phase), "since": .time(since), "expectedMs": .int(expectedMs), "basis": .string(basis),
          "samples": .integer(samples),
        ])
      }
    }

    /// The undo of the step.
    public struct Undo: WireValue {
      public let status: String
      public let attempt: Int
      public let maxAttempts: Int?
      public let startedAt: Timestamp?
      public let endedAt: Timestamp?
      public let retryAt: Timestamp?
      /// The time at which the wait ends, while the undo waits for a signal or for its child.
      public let until: Timestamp?
      /// Set while the undo waits for a signal or for its child.
      public let waitingFor: Waiting?
      /// The last child that the undo has started.
      public let child: Child?
      public let progress: Progress?
      /// How the step was undone: `resolved` when a person did it.
      public let how: String?
      public let error: Failure?

      public init(
        status: String, attempt: Int, maxAttempts: Int? = nil, startedAt: Timestamp? = nil, endedAt: Timestamp? = nil,
        retryAt: Timestamp? = nil, until: Timestamp? = nil, waitingFor: Waiting? = nil, child: Child? = nil,
        progress: Progress? = nil, how: String? = nil, error: Failure? = nil
      ) {
        self.status = status
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.retryAt = retryAt
        self.until = until
        self.waitingFor = waitingFor
        self.child = child
        self.progress = progress
        self.how = how
        self.error = error
      }

      public init(_ members: Members) throws(UnexpectedMember) {
        status = try members.text("status")
        attempt = try members.int("attempt")
        maxAttempts = try members.intIfAny("maxAttempts")
        startedAt = try members.timeIfAny("startedAt")
        endedAt = try members.timeIfAny("endedAt")
        retryAt = try members.timeIfAny("retryAt")
        until = try members.timeIfAny("until")
        waitingFor = try members.oneIfAny("waitingFor")
        child = try members.oneIfAny("child")
        progress = try members.oneIfAny("progress")
        how = try members.textIfAny("how")
        error = try members.oneIfAny("error")
      }

      public var json: JSON {
        .members([
          "status": .string(status), "attempt": .int(attempt), "maxAttempts": .integer(maxAttempts),
          "startedAt": .time(startedAt), "endedAt": .time(endedAt), "retryAt": .time(retryAt),
          "until": .time(until), "waitingFor": waitingFor?.json, "child": child?.json, "progress": progress?.json,
          "how": .text(how), "error": error?.json,
        ])
      }
    }
  }
}

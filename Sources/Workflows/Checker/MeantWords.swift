/// What an author probably means by a member that an object of the file does not have: the word of another engine, a
/// word of another object, or a word in the wrong place. A spelling mistake is found by `NearNames`.
package enum Meant {
  /// One word of the same object.
  case word(String)
  /// The place or the form that the author needs.
  case says(String)

  /// Returns what an author means by a name. `on_error`, `On-Error` and `onError` mean the same.
  static func meaning(of name: String, among meant: [String: Meant]) -> Meant? {
    if let exact = meant[name] { return exact }
    let plain = plain(name)
    return meant.sorted { $0.key < $1.key }.first { self.plain($0.key) == plain }?.value
  }

  private static func plain(_ name: String) -> String { name.lowercased().filter { $0 != "_" && $0 != "-" } }

  /// The shortest form of an object for which authors write a plain value, by its name in messages.
  static let forms = [
    "a retry policy": "{ \"maxAttempts\": 3 }", "\"concurrency\"": "{ \"key\": \"robot-1\" }",
    "\"remind\"": "{ \"after\": \"4h\" }", "a forEach": "{ \"items\": \"${input.wells[*]}\" }",
    "a fail action": "{ \"code\": \"TOO_FEW_READS\" }", "a workflow action": "{ \"name\": \"deliver-results\" }",
    "a signal": "{ \"name\": \"approval\" }", "a delay": "{ \"for\": \"4h\" }", "a task": "{ \"queue\": \"robot\" }",
    "a compensation": "\"none\", or { \"http\": … } with what undoes the step",
  ]

  // What several objects say of a word of another engine.
  private static let called = Meant.says(
    "a step calls a service with \"http\", or gives work to a worker with \"task\"")
  private static let sent = Meant.says(
    "write what is sent into the \"body\" of \"http\", or the \"input\" of \"task\" or \"workflow\"")
  private static let fixed = Meant.says(
    "a fixed value is written where it is used; secrets and addresses are in the server's configuration")
  private static let branches = Meant.says("each alternative is a step or a group with its own \"when\"")
  private static let started = Meant.says(
    "a saga is started over REST, over Kafka or on the command line, each time with an input")
  private static let computed = Meant.says("a value is computed in ${…} where it is used")
  private static let answered = Meant.says("what a step answered is read as steps.ID.output")
  private static let letIn = Meant.says("what lets the engine in is in the server's configuration of the service")
  private static let ofOneStep = Meant.says("write it on the step that it is about")
  private static let always = Meant.says(
    "each step is undone by its own \"compensation\"; what must follow a failure comes behind \"onFailure\": \"continue\""
  )
  private static let ownKey = Meant.says("the engine makes the key of each call, and a step reads it as steps.ID.key")
  private static let atTheTop = Meant.says("write its members at the top of the file: \"name\", \"version\", \"steps\"")

  static let workflow: [String: Meant] = [
    "id": .word("name"), "displayName": .word("title"), "caption": .word("title"), "tags": .word("labels"),
    "annotations": .word("labels"), "inputs": .word("inputSchema"), "input": .word("inputSchema"),
    "schema": .word("inputSchema"), "result": .word("output"), "outputs": .word("output"), "tasks": .word("steps"),
    "states": .word("steps"), "stages": .word("steps"), "jobs": .word("steps"), "activities": .word("steps"),
    "deadline": .word("timeout"), "timeoutSeconds": .word("timeout"), "assertions": .word("invariants"),
    "rules": .word("invariants"), "constraints": .word("invariants"), "properties": .word("invariants"),
    "retry": .says("write it into \"defaults\", for all steps, or into a step"),
    "compensation": .says("each step has its own \"compensation\""),
    "lock": .word("concurrency"), "mutex": .word("concurrency"), "semaphore": .word("concurrency"),
    "startAt": .says("the first step of the list starts first; \"dependsOn\" gives another order"),
    "entrypoint": .says("the first step of the list starts first; \"dependsOn\" gives another order"),
    "on": started, "trigger": started, "triggers": started, "schedule": started, "scheduleInterval": started,
    "cron": started, "env": fixed, "variables": fixed, "vars": fixed, "constants": fixed,
    "services": .says("the server's configuration has the services"),
    "signals": .says("a step with \"signal\" waits for one"), "comment": .word("description"),
    "spec": atTheTop, "metadata": atTheTop, "apiVersion": atTheTop, "kind": atTheTop,
    "templates": .word("steps"), "dag": .word("steps"), "nodes": .word("steps"), "dagId": .word("name"),
    "workflowId": .word("name"), "defaultArgs": .word("defaults"), "params": .word("inputSchema"),
    "parameters": .word("inputSchema"), "arguments": .word("inputSchema"), "author": .word("owner"),
    "team": .word("owner"), "executionTimeout": .word("timeout"), "activeDeadlineSeconds": .word("timeout"),
    "ttl": .word("timeout"), "timeoutMinutes": .word("timeout"),
    "retries": .says("write \"retry\" into \"defaults\", for all steps, or into a step"),
    "compensations": .says("each step has its own \"compensation\""), "onFailure": always, "onError": always,
    "onExit": always, "finally": always, "catch": always, "pivot": ofOneStep, "when": ofOneStep, "forEach": ofOneStep,
    "parallelism": .says("\"maxParallel\" of \"forEach\", or \"concurrency\", limits what runs at the same time"),
  ]

  static let defaults: [String: Meant] = [
    "retries": .word("retry"), "retryPolicy": .word("retry"), "timeoutSeconds": .word("timeout"),
    "compensation": .says("each step says itself what undoes it"), "onFailure": ofOneStep, "service": ofOneStep,
    "http": ofOneStep, "headers": .says("the server's configuration of the service has what all calls send"),
    "when": ofOneStep, "concurrency": ofOneStep,
  ]

  static let step: [String: Meant] = [
    "if": .word("when"), "condition": .word("when"), "runIf": .word("when"), "unless": .word("when"),
    "name": .word("id"), "needs": .word("dependsOn"), "after": .word("dependsOn"), "requires": .word("dependsOn"),
    "depends": .word("dependsOn"), "runAfter": .word("dependsOn"), "undo": .word("compensation"),
    "rollback": .word("compensation"), "compensate": .word("compensation"), "catch": .word("onFailure"),
    "onError": .word("onFailure"), "continueOnError": .word("onFailure"), "retries": .word("retry"),
    "attempts": .word("retry"), "timeoutSeconds": .word("timeout"), "deadline": .word("timeout"),
    "reminder": .word("remind"), "escalate": .word("remind"), "pointOfNoReturn": .word("pivot"), "wait": .word("delay"),
    "sleep": .word("delay"), "approval": .word("signal"), "worker": .word("task"), "activity": .word("task"),
    "job": .word("task"),
    "child": .word("workflow"), "saga": .word("workflow"), "subworkflow": .word("workflow"),
    "subWorkflow": .word("workflow"),
    "throw": .word("fail"), "error": .word("fail"),
    "lock": .word("concurrency"), "mutex": .word("concurrency"), "semaphore": .word("concurrency"),
    "synchronization": .word("concurrency"),
    "polling": .word("poll"), "loop": .word("poll"), "repeat": .word("poll"),
    "interval": .says("write \"every\" inside \"poll\""),
    "foreach": .word("forEach"), "map": .word("forEach"), "matrix": .word("forEach"), "iterate": .word("forEach"),
    "withItems": .word("forEach"), "items": .says("write it inside \"forEach\""),
    "manual": .word("signal"), "event": .word("signal"), "request": .word("http"), "call": .word("http"),
    "next": .says("the step that comes next names this one in its \"dependsOn\""),
    "group": .word("steps"),
    "parallel": .says("steps with the same \"dependsOn\" run at the same time; \"dependsOn\": [] starts at once"),
    "type": .says(
      "the action itself is the member: \"http\", \"kafka\", \"task\", \"workflow\", \"signal\", \"delay\" or \"fail\""),
    "url": .says("write \"service\" and \"path\" inside \"http\""),
    "uri": .says("write \"service\" and \"path\" inside \"http\""),
    "maxAttempts": .says("write it inside \"retry\""), "nonRetryable": .says("write it inside \"retry\""),
    "output": .says("a step's output is what its action answered; the workflow has \"output\""),
    "input": .says("write what the step sends into the \"body\" of its action"),
    "uses": called, "run": called, "script": called, "container": called, "image": called, "lambda": called,
    "resource": called, "function": called, "grpc": called, "command": called, "operator": called,
    "with": sent, "params": sent, "parameters": sent, "args": sent, "arguments": sent, "opKwargs": sent, "env": fixed,
    "timeoutMinutes": .word("timeout"), "startToCloseTimeout": .word("timeout"),
    "scheduleToCloseTimeout": .word("timeout"), "executionTimeout": .word("timeout"),
    "activeDeadlineSeconds": .word("timeout"), "sla": .word("expected"), "strategy": .word("forEach"),
    "withParam": .word("forEach"), "withSequence": .word("forEach"),
    "end": .says("the saga has ended when all its steps have"), "resultPath": answered, "outputPath": answered,
    "resultSelector": answered, "result": answered, "outputs": answered, "retryPolicy": .word("retry"),
    "retryStrategy": .word("retry"), "retryDelay": .word("retry"), "backoff": .word("retry"),
    "taskQueue": .says("write \"queue\" inside \"task\""), "workflowId": .says("write \"key\" inside \"workflow\""),
    "template": .word("workflow"), "templateRef": .word("workflow"), "subflow": .word("workflow"),
    "suspend": .word("signal"), "waitFor": .word("signal"), "waitForEvent": .word("signal"), "human": .word("signal"),
    "humanTask": .word("signal"), "userTask": .word("signal"), "onExit": always, "finally": always,
    "taskId": .word("id"), "upstream": .word("dependsOn"), "dependencies": .word("dependsOn"),
    "triggerRule": .says("\"when\" asks how the steps before this one ended, as $.steps.ID.status == 'failed'"),
    "pool": .word("concurrency"),
    "parallelism": .says("write \"maxParallel\" inside \"forEach\"; \"concurrency\" limits over all sagas"),
    "then": branches, "else": branches, "switch": branches, "choice": branches, "choices": branches, "case": branches,
    "cases": branches, "default": branches,
    "branches": .says("steps with the same \"dependsOn\" run at the same time; \"dependsOn\": [] starts at once"),
    "do": .says("write the action itself, or \"steps\" for a group"), "title": .word("description"),
    "comment": .word("description"), "labels": .says("the workflow has \"labels\""), "idempotencyKey": ownKey,
    "cron": started, "schedule": started, "set": computed, "assign": computed, "transform": computed,
    "log": .says("the history has what each step sent and was answered"),
    "skip": .word("when"), "enabled": .word("when"), "disabled": .word("when"), "optional": .word("onFailure"),
    "allowFailure": .word("onFailure"),
    "successWhen": .says("write \"success\" inside \"http\", or \"until\" inside \"poll\""),
    "parent": .says("write the step into the \"steps\" of its group"),
  ].merging(inside("http", ["service", "method", "path", "headers", "query", "body", "success"])) { first, _ in first }
    .merging(inside("signal", ["accept", "roles", "schema"])) { first, _ in first }
    .merging(inside("task", ["queue", "heartbeatTimeout"])) { first, _ in first }
    .merging(inside("poll", ["every", "until", "failWhen"])) { first, _ in first }
    .merging(inside("forEach", ["maxParallel", "toleratedFailures", "as"])) { first, _ in first }

  static let group: [String: Meant] = [
    "if": .word("when"), "condition": .word("when"), "name": .word("id"), "needs": .word("dependsOn"),
    "after": .word("dependsOn"), "deadline": .word("timeout"), "tasks": .word("steps"),
    "lock": .word("concurrency"), "mutex": .word("concurrency"), "semaphore": .word("concurrency"),
    "compensation": .says("a group has no compensation of its own: write it on each step inside it"),
    "retry": .says("write it on the steps inside the group"),
    "pivot": .says("write it on the step inside the group"),
    "onFailure": .says("write it on the steps inside the group"),
    "forEach": .says("a group is not repeated: repeat one step"),
  ].merging(
    ActionReader.kinds.map { ($0, .says("a step has one action, and \"steps\" makes it a group: write it inside")) }
  ) { first, _ in first }

  static let http: [String: Meant] = [
    "url": .says("write \"service\", a name of the server's configuration, and \"path\""),
    "uri": .says("write \"service\", a name of the server's configuration, and \"path\""),
    "endpoint": .says("write \"service\", a name of the server's configuration, and \"path\""),
    "host": .word("service"), "verb": .word("method"), "params": .word("query"), "queryParams": .word("query"),
    "parameters": .word("query"), "payload": .word("body"), "data": .word("body"), "json": .word("body"),
    "input": .word("body"), "header": .word("headers"), "status": .word("success"), "expect": .word("success"),
    "expectedStatus": .word("success"), "successCodes": .word("success"),
    "poll": .says("write it beside \"http\", as a member of the step"),
    "auth": letIn, "authorization": letIn, "basicAuth": letIn, "bearer": letIn, "token": letIn, "apiKey": letIn,
    "cookies": letIn, "contentType": .word("headers"), "form": .word("body"),
    "baseUrl": .says("write \"service\", a name of the server's configuration, and \"path\""),
    "retries": .says("write \"retry\" beside \"http\", as a member of the step"),
    "timeoutSeconds": .says("write \"timeout\" beside \"http\", as a member of the step"),
    "type": .word("method"), "operation": .word("method"), "response": answered, "output": answered,
    "idempotencyKey": ownKey, "steps": .says("\"steps\" makes a group, which is a step of its own"),
    "every": .says("write it inside \"poll\", beside \"http\""),
    "until": .says("write it inside \"poll\", beside \"http\""),
    "failWhen": .says("write it inside \"poll\", beside \"http\""),
  ].merging(beside("http")) { first, _ in first }

  static let poll: [String: Meant] = [
    "interval": .word("every"), "delay": .word("every"), "pause": .word("every"), "frequency": .word("every"),
    "period": .word("every"), "seconds": .word("every"), "for": .word("every"), "condition": .word("until"),
    "done": .word("until"), "doneWhen": .word("until"), "stopWhen": .word("until"), "successWhen": .word("until"),
    "success": .word("until"), "accept": .word("until"), "when": .word("until"), "if": .word("until"),
    "while": .says("write in \"until\" what ends the poll, not what makes it go on"),
    "fail": .word("failWhen"), "failIf": .word("failWhen"), "failure": .word("failWhen"),
    "failUntil": .word("failWhen"), "errorWhen": .word("failWhen"),
    "maxAttempts": .says("the step's \"timeout\" ends a poll; \"retry\" is for looks that get no answer"),
    "path": .says("write it into \"http\", beside \"poll\""), "http": .says("write it beside \"poll\""),
  ].merging(beside("poll")) { first, _ in first }

  static let forEach: [String: Meant] = [
    "in": .word("items"), "of": .word("items"), "list": .word("items"), "over": .word("items"),
    "collection": .word("items"), "values": .word("items"), "itemsPath": .word("items"), "name": .word("as"),
    "item": .word("as"), "var": .word("as"), "variable": .word("as"), "id": .word("key"), "by": .word("key"),
    "parallel": .word("maxParallel"), "concurrency": .word("maxParallel"), "maxConcurrency": .word("maxParallel"),
    "limit": .word("maxParallel"), "batchSize": .word("maxParallel"), "parallelism": .word("maxParallel"),
    "tolerated": .word("toleratedFailures"), "maxFailures": .word("toleratedFailures"),
    "toleratedFailureCount": .word("toleratedFailures"), "toleratedFailurePercentage": .word("toleratedFailures"),
    "range": .says("the items are a list: one of the input, or written out as [1, 2, 3]"),
    "count": .says("the items are a list: one of the input, or written out as [1, 2, 3]"),
    "times": .says("the items are a list: one of the input, or written out as [1, 2, 3]"),
    "filter": .says("filter in the query, as ${input.wells[?@.ok == true]}"),
    "where": .says("filter in the query, as ${input.wells[?@.ok == true]}"),
    "index": .says("the number of an item is read as index"), "mode": .word("maxParallel"),
    "batch": .word("maxParallel"),
    "steps": .says("one step is repeated, not a group"), "do": .says("write the action beside \"forEach\""),
  ].merging(ActionReader.kinds.map { ($0, .says("write it beside \"forEach\", as a member of the step")) }) {
    first, _ in first
  }.merging(beside("forEach")) { first, _ in first }

  static let concurrency: [String: Meant] = [
    "group": .word("key"), "name": .word("key"), "id": .word("key"), "on": .word("key"), "resource": .word("key"),
    "lock": .word("key"), "max": .word("limit"), "maxConcurrency": .word("limit"), "maxParallel": .word("limit"),
    "count": .word("limit"), "permits": .word("limit"), "mutex": .word("key"), "semaphore": .word("key"),
    "cancelInProgress": .says("a waiter waits, first come, first served; cancel a saga with `saga cancel`"),
    "queue": .says("waiters get their turns first come, first served"),
    "scope": .says("a key is shared by all sagas of the engine"),
    "wait": .says("the saga's timeout limits the wait, and the timeout of a group, a signal or a poll limits its own"),
    "timeout": .says(
      "the saga's timeout limits the wait, and the timeout of a group, a signal or a poll limits its own"),
  ].merging(beside("concurrency")) { first, _ in first }

  static let kafka: [String: Meant] = [
    "poll": .says("only an \"http\" step polls: a service answers a command by itself"),
    "topic": .says("write \"service\": the server's configuration has the topic"), "payload": .word("body"),
    "message": .word("body"), "value": .word("body"), "data": .word("body"), "input": .word("body"),
    "name": .word("command"), "type": .word("command"), "action": .word("command"),
    "key": .says("the engine sets the key: the saga's id"),
  ].merging(beside("kafka")) { first, _ in first }

  static let task: [String: Meant] = [
    "name": .word("queue"), "taskList": .word("queue"), "taskQueue": .word("queue"), "topic": .word("queue"),
    "type": .word("queue"), "body": .word("input"), "payload": .word("input"), "data": .word("input"),
    "parameters": .word("input"), "args": .word("input"), "heartbeat": .word("heartbeatTimeout"),
    "lease": .word("heartbeatTimeout"), "visibilityTimeout": .word("heartbeatTimeout"),
    "activityType": .word("queue"), "function": .word("queue"), "script": .word("queue"), "command": .word("queue"),
    "output": .says("what the worker answers is read as steps.ID.output"),
    "retries": .says("write \"retry\" beside \"task\", as a member of the step"),
    "priority": .says("a queue gives out its tasks in the order of their offers"),
    "worker": .says("a worker asks for work by itself: \"queue\" says where it asks"),
    "poll": .says("only an \"http\" step polls: a worker answers when the work is done"),
  ].merging(beside("task")) { first, _ in first }

  static let child: [String: Meant] = [
    "workflow": .word("name"), "id": .word("name"), "saga": .word("name"), "body": .word("input"),
    "data": .word("input"), "payload": .word("input"), "parameters": .word("input"), "params": .word("input"),
    "args": .word("input"), "arguments": .word("input"), "inputData": .word("input"), "type": .word("name"),
    "workflowType": .word("name"), "ref": .word("name"), "file": .word("name"), "template": .word("name"),
    "workflowId": .word("key"),
    "wait": .says("the step waits for the end of its child"), "async": .says("the step waits for the end of its child"),
    "detached": .says("\"compensation\": \"none\" leaves the child as it is"),
    "parentClosePolicy": .says("\"compensation\": \"none\" leaves the child as it is"),
    "output": .says("the child's output is read as steps.ID.output"),
    "with": .word("input"), "businessKey": .word("key"), "idempotencyKey": .word("key"),
    "tags": .says("a child is found by its parent, and by the title and the labels of its workflow"),
    "steps": .says("the child's own file has its steps"),
  ].merging(beside("workflow")) { first, _ in first }

  static let childCompensation: [String: Meant] = [
    "http": .says("the child's own workflow undoes it"), "kafka": .says("the child's own workflow undoes it"),
    "task": .says("the child's own workflow undoes it"), "workflow": .says("the child's own workflow undoes it"),
    "signal": .says("the child's own workflow undoes it"),
    "concurrency": .says("an undo takes the turn of its step: write it beside \"compensation\""),
    "timeout": .says("an undo of a child waits until the child has ended"),
    "appliesTo": .says("a child that turned back by itself has left nothing to undo"),
  ]

  static let signal: [String: Meant] = [
    "id": .word("name"), "event": .word("name"), "filter": .word("accept"), "condition": .word("accept"),
    "if": .word("accept"), "when": .word("accept"), "role": .word("roles"), "inputSchema": .word("schema"),
    "signalName": .word("name"), "type": .word("name"), "match": .word("accept"), "until": .word("accept"),
    "key": .word("accept"), "correlationKey": .word("accept"), "approvers": .word("roles"), "users": .word("roles"),
    "assignee": .word("roles"), "candidateGroups": .word("roles"), "form": .word("schema"), "body": .word("schema"),
    "fields": .word("schema"), "output": .says("the body of the signal is read as steps.ID.output"),
    "count": .says("a step takes one signal; with \"forEach\" each item takes one"),
  ].merging(beside("signal")) { first, _ in first }

  static let delay: [String: Meant] = [
    "duration": .word("for"), "seconds": .word("for"), "time": .word("for"), "at": .word("until"),
    "timestamp": .word("until"), "minutes": .word("for"), "hours": .word("for"), "days": .word("for"),
    "cron": .word("until"),
  ].merging(beside("delay")) { first, _ in first }

  static let fail: [String: Meant] = [
    "error": .word("code"), "name": .word("code"), "reason": .word("message"), "cause": .word("message"),
    "text": .word("message"), "status": .word("code"), "details": .word("message"),
    "retryable": .says("a failure on purpose is never tried again"),
  ].merging(beside("fail")) { first, _ in first }

  static let compensation: [String: Meant] = [
    "when": .says("an undo has no condition; \"appliesTo\" says after which outcomes it runs"),
    "if": .says("an undo has no condition; \"appliesTo\" says after which outcomes it runs"),
    "outcomes": .word("appliesTo"), "on": .word("appliesTo"), "retries": .word("retry"), "attempts": .word("retry"),
    "onError": .word("onFailure"), "maxAttempts": .says("write it inside \"retry\""),
    "poll": .says("an undo calls once and does not poll: an undo that takes long is a \"task\" or a \"workflow\""),
    "steps": .says("an undo is one action: an undo of several steps is a \"workflow\""),
    "delay": .says(
      "an undo begins at once: an undo that waits for a time is a \"workflow\" with a delay. \(undoKinds)"),
    "fail": .says(
      "an undo that can't be done is stuck by itself, and \"none\" says that nothing is undone. \(undoKinds)"),
    "concurrency": .says("an undo takes the turn of its step: write it beside \"compensation\""),
    "forEach": .says("each item of the step is undone by itself, so an undo has no items of its own"),
    "url": .says("write \"service\" and \"path\" inside \"http\""),
    "confirm": .word("signal"), "confirmation": .word("signal"), "manual": .word("signal"),
    "approval": .word("signal"), "child": .word("workflow"), "saga": .word("workflow"),
    "step": .says("an undo is an action of its own. \(undoKinds)"),
    "id": .says("an undo has the id of its step"), "dependsOn": .says("steps are undone in reverse order"),
    "order": .says("steps are undone in reverse order"), "pivot": .says("write it beside \"compensation\""),
    "compensation": .says("an undo is not undone: write \"none\" instead of the object"),
  ].merging(inside("http", ["service", "method", "path", "headers", "query", "body", "success"])) { first, _ in first }
    .merging(inside("signal", ["accept", "roles", "schema"])) { first, _ in first }
    .merging(inside("workflow", ["version", "input", "key"])) { first, _ in first }

  private static let undoKinds =
    "An undo is one of " + ActionReader.undoKinds.map { "\"\($0)\"" }.joined(separator: ", ")

  static let remind: [String: Meant] = [
    "interval": .word("every"), "repeat": .word("every"), "delay": .word("after"), "in": .word("after"),
    "first": .word("after"), "hours": .word("after"),
    "at": .word("after"), "to": .says("the operator's configuration of notices says who is reminded"),
  ]

  static let retry: [String: Meant] = [
    "attempts": .word("maxAttempts"), "max": .word("maxAttempts"), "limit": .word("maxAttempts"),
    "retries": .word("maxAttempts"), "maxRetries": .word("maxAttempts"), "count": .word("maxAttempts"),
    "interval": .word("initialInterval"), "delay": .word("initialInterval"), "backoff": .word("initialInterval"),
    "initialDelay": .word("initialInterval"), "factor": .word("backoffCoefficient"),
    "multiplier": .word("backoffCoefficient"), "backoffRate": .word("backoffCoefficient"),
    "maxDelay": .word("maxInterval"), "nonRetryableErrors": .word("nonRetryable"),
    "maximumAttempts": .word("maxAttempts"), "maximumInterval": .word("maxInterval"),
    "nonRetryableErrorTypes": .word("nonRetryable"), "intervalSeconds": .word("initialInterval"),
    "delaySeconds": .word("initialInterval"), "strategy": .word("backoffCoefficient"),
    "exponential": .word("backoffCoefficient"), "type": .word("backoffCoefficient"),
    "errorEquals": .says("write a list of policies, each with its failures in \"on\""),
    "retryPolicy": .says("write a list of policies, each with its failures in \"on\""),
    "timeout": .says("write it beside \"retry\", as a member of the step"),
    "retryable": .says(
      "write the failures that are final into \"nonRetryable\", or a list of policies, each with its failures in \"on\""
    ),
    "retryOn": .says("write a list of policies, each with its failures in \"on\""),
    "on": .says("write a list of policies, each with its failures in \"on\""),
  ]

  private static func inside(_ object: String, _ words: [String]) -> [String: Meant] {
    Dictionary(uniqueKeysWithValues: words.map { ($0, .says("write it inside \"\(object)\"")) })
  }

  /// The words of a step that authors write into its action.
  private static func beside(_ object: String) -> [String: Meant] {
    let words = [
      "id", "description", "dependsOn", "when", "timeout", "remind", "expected", "retry", "compensation", "pivot",
      "onFailure", "forEach", "concurrency",
    ]
    return Dictionary(
      uniqueKeysWithValues: words.map { ($0, .says("write it beside \"\(object)\", as a member of the step")) })
  }
}

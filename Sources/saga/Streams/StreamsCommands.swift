import JSON
import Persistence
import Runtime
import Streaming
import Values

private let fileOperand = OperandSpec("FILE", .oneOrMore, help: "a stream; - reads standard input")
private let storeOption = OptionSpec(
  "store", value: "STORE", help: "for their state: sqlite:PATH (else .saga/streams.db), postgres:URL, memory")

extension Invocation {
  fileprivate func streamStore() throws(UsageError) -> StoreLocation {
    try store(else: .sqlite(path: ".saga/streams.db"))
  }
}

let streamsCommand = CommandSpec(
  "streams", summary: "run topic streams",
  about: [
    "Each file describes a stream: a transform of each event of a topic, counts in time windows, or joins of two topics. "
      + "The store keeps state and offsets in one transaction, so a stream continues where it stopped. An output comes at "
      + "least once; a repeat has the same id.",
    "Unusable messages go to the dead letters, late events to the topic that the file names. docs/streams.md is the "
      + "guide.",
  ],
  operands: [fileOperand],
  options: [
    storeOption, KafkaOptions.brokers("the Kafka to read and to write: its brokers, with commas between them"),
    KafkaOptions.properties,
    OptionSpec("dead-letters", value: "TOPIC", help: "for unusable messages; else laboratory.dead-letter"),
    OptionSpec("verbose", help: "log more, and the state of each stream every ten seconds"),
    .stopWithInput,
  ],
  examples: [
    .init(says: "The streams of the laboratory", line: "saga streams streams/*.json --kafka broker:9092"),
    .init(
      says: "One, with a store that other machines can use",
      line: "saga streams my.json --kafka broker:9092 --store postgres://saga@db/saga"),
  ]
) { invocation in
  let files = try StreamFiles(invocation)
  guard files.errorCount == 0 else {
    invocation.terminal.complain(files.text(invocation.terminal.errorStyle))
    return .failure
  }
  guard let cluster = try invocation.kafkaCluster() else {
    throw invocation.usage("streams wants --kafka BROKERS")
  }
  let letters = invocation.arguments.value("dead-letters") ?? KafkaTopicNames().deadLetters
  guard KafkaName.isTopic(letters) else { throw invocation.usage("\"\(letters)\" is not the name of a topic") }
  let process = StreamsProcess(
    definitions: files.definitions, cluster: cluster, deadLetters: letters, location: try invocation.streamStore(),
    invocation: invocation)
  return try await process.run()
}

let streamsCheckCommand = CommandSpec(
  "streams", "check", summary: "find every mistake in stream files",
  about: [
    "Every mistake with its line and column, also what is wrong only because of another file: two streams of one name, "
      + "or a circle of streams that feed each other. Needs no Kafka and no store. Exit status 1 when there are errors."
  ],
  operands: [fileOperand], options: [.json],
  examples: [
    .init(says: "Check all of them together", line: "saga streams check streams/*.json"),
    .init(says: "For a program", line: "saga streams check --json my.json"),
  ]
) { invocation in
  let files = try StreamFiles(invocation)
  if invocation.json {
    invocation.terminal.line(files.json.text(.pretty))
  } else {
    invocation.terminal.write(files.text(invocation.style))
    invocation.terminal.line(
      "\(FileReport.count(files.files.count, "file")) checked: \(FileReport.count(files.errorCount, "error"))")
  }
  return files.errorCount > 0 ? .failure : .success
}

let streamsResetCommand = CommandSpec(
  "streams", "reset", summary: "delete the state of streams",
  about: [
    "Deletes counts, waiting events and offsets. The next run starts at the first message of the topics and sends every "
      + "result again, with the same id for the same window. For a stream whose definition changed, a topic that was "
      + "created again, or late events that you want to count."
  ],
  operands: [fileOperand], options: [storeOption],
  examples: [
    .init(says: "Count again, late events and all", line: "saga streams reset streams/samples-created-per-hour.json"),
    .init(says: "Then run it", line: "saga streams streams/*.json --kafka broker:9092"),
  ]
) { invocation in
  let files = try StreamFiles(invocation)
  guard files.errorCount == 0 else {
    invocation.terminal.complain(files.text(invocation.terminal.errorStyle))
    return .failure
  }
  let store = try await invocation.streamStore().open(invocation.environment, log: .silent)
  do {
    for definition in files.definitions {
      try await StreamProcessor.reset(definition.name, in: store)
      invocation.terminal.line("\(definition.name) starts again with its next run.")
    }
  } catch {
    await store.close()
    throw error
  }
  await store.close()
  return .success
}

import JSON
import Persistence
import Runtime
import Streaming
import Values

private let fileOperand = OperandSpec("FILE", .oneOrMore, help: "a stream; - reads standard input")
private let storeOption = OptionSpec(
  "store", value: "STORE", help: "where their state is kept: sqlite:PATH (.saga/streams.db), postgres:URL, or memory")

extension Invocation {
  fileprivate func streamStore() throws(UsageError) -> StoreLocation {
    try store(else: .sqlite(path: ".saga/streams.db"))
  }
}

let streamsCommand = CommandSpec(
  "streams", summary: "run streams: topics made of topics",
  about: [
    "Each file says what is made of a topic's events: a transform of each, counts in windows of time, or pairs of two "
      + "topics' events. State and offsets are kept in the store, in one transaction, so that a stream goes on where "
      + "it stopped; its outputs come at least once, a repeat with the same id.",
    "What can't be used goes to the dead letters, what comes too late to the topic that the file names for it. "
      + "docs/streams.md is the guide.",
  ],
  operands: [fileOperand],
  options: [
    storeOption, KafkaOptions.brokers("the Kafka to read and to write: its brokers, with commas between them"),
    KafkaOptions.properties,
    OptionSpec("dead-letters", value: "TOPIC", help: "where what can't be used goes; laboratory.dead-letter"),
    OptionSpec("verbose", help: "log what happens, and how each stream stands every ten seconds"),
    .stopWithInput,
  ],
  examples: [
    .init(says: "All that the laboratory brings along", line: "saga streams streams/*.json --kafka broker:9092"),
    .init(
      says: "One, on a store that other machines can take over",
      line: "saga streams my.json --kafka broker:9092 --store postgres://saga@db/saga"),
  ]
) { invocation in
  let files = try StreamFiles(invocation)
  guard files.errorCount == 0 else {
    invocation.terminal.complain(files.text(invocation.terminal.errorStyle))
    return .failure
  }
  guard let cluster = try invocation.kafkaCluster() else {
    throw invocation.usage("streams wants --kafka BROKERS: what should they read?")
  }
  let letters = invocation.arguments.value("dead-letters") ?? KafkaTopicNames().deadLetters
  guard KafkaName.isTopic(letters) else { throw invocation.usage("\"\(letters)\" is no topic's name") }
  let process = StreamsProcess(
    definitions: files.definitions, cluster: cluster, deadLetters: letters, location: try invocation.streamStore(),
    invocation: invocation)
  return try await process.run()
}

let streamsCheckCommand = CommandSpec(
  "streams", "check", summary: "say what is wrong in the files of streams",
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
  "streams", "reset", summary: "forget the state of streams, to begin anew",
  about: [
    "Forgets counts, waiting events and offsets: the next run begins with the first message that the topics keep, and "
      + "sends everything again, results of the same window with the same id. For a stream whose definition changed, a "
      + "topic that was made anew, or events that came too late and are wanted after all."
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
      invocation.terminal.line("\(definition.name) begins anew with its next run.")
    }
  } catch {
    await store.close()
    throw error
  }
  await store.close()
  return .success
}

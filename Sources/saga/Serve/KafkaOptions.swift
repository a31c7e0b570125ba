import Messaging
import Server
import Values

/// The options for the connection to Kafka, and for its topics and consumer group.
enum KafkaOptions {
  /// The options of `saga serve`.
  static let engine = [
    brokers("echo every event to Kafka, and take commands and answers from it: its brokers, with commas between them"),
    properties, topics(KafkaTopicNames.Role.allCases), group(usual: "saga-engine"),
    OptionSpec(
      "kafka-service", value: "NAME=TOPIC", repeats: true,
      help: "a service that takes its commands from a topic, with ,tombstones behind it as above; else those of "
        + "`saga lab`"),
    OptionSpec(
      "kafka-lab-role", value: "ROLE", repeats: true,
      help: "a laboratory role of everyone who writes to the topic of commands, for signals that ask for one; else "
        + "such signals are not taken over Kafka by an engine with keys"),
    registry,
  ]

  /// `HOST:PORT`, with commas.
  static func brokers(_ help: String) -> OptionSpec { OptionSpec("kafka", value: "BROKERS", help: help) }

  static let properties = OptionSpec(
    "kafka-config", value: "NAME=VALUE", repeats: true,
    help: "a property of librdkafka: TLS, SASL, timeouts; @FILE reads them from a file, a line each. A VALUE may be "
      + "env:VARIABLE or file:PATH, so that no password is on a command line")

  static func topics(_ roles: [KafkaTopicNames.Role]) -> OptionSpec {
    let usual = KafkaTopicNames()
    let named = roles.map { "\($0.rawValue) (\(usual[$0]))" }.joined(separator: ", ")
    return OptionSpec(
      "kafka-topic", value: "ROLE=NAME", repeats: true, help: "another name for one of its topics: \(named)")
  }

  static func group(usual: String) -> OptionSpec {
    OptionSpec("kafka-group", value: "NAME", help: "the consumer group; \(usual)")
  }

  static let registry = OptionSpec(
    "schema-registry", value: "URL",
    help: "where event schemas are registered, @FILE when it holds a password; else messages are plain JSON")

  /// The properties that other options set.
  fileprivate static let saidElsewhere = [
    "bootstrap.servers": "--kafka", "metadata.broker.list": "--kafka", "group.id": "--kafka-group",
  ]
}

extension Invocation {
  /// Returns the settings for Kafka; nil when no option names Kafka.
  ///
  /// If a command lacks an option, the option counts as not given.
  /// - Parameters:
  ///   - roles: the topics that the command's options may name.
  ///   - group: the usual consumer group.
  func kafka(roles: [KafkaTopicNames.Role] = KafkaTopicNames.Role.allCases, group: String = "saga-engine") throws
    -> KafkaSettings?
  {
    guard let cluster = try kafkaCluster() else { return nil }
    let services = try kafkaServices()
    let topics = try kafkaTopics(roles, besides: services)
    return KafkaSettings(
      cluster: cluster, topics: topics, group: try kafkaGroup(usual: group), services: services,
      registry: try schemaRegistry(), labRoles: try kafkaLabRoles())
  }

  private func kafkaLabRoles() throws(UsageError) -> [String] {
    let roles = arguments.values("kafka-lab-role")
    for role in roles {
      if let fault = LabRole.fault(in: role) { throw usage("--kafka-lab-role \(fault)") }
    }
    return roles
  }

  /// Returns only the cluster, for a command with other topics than the engine's.
  func kafkaCluster() throws -> KafkaCluster? {
    guard let brokers = arguments.value("kafka") else {
      let others = ["kafka-config", "kafka-topic", "kafka-group", "kafka-service", "kafka-lab-role", "schema-registry"]
      guard let given = others.first(where: { !arguments.values($0).isEmpty }) else { return nil }
      throw usage("--\(given) says something of Kafka, but --kafka BROKERS doesn't say where it is")
    }
    return KafkaCluster(brokers: try kafkaBrokers(brokers), properties: try kafkaProperties())
  }

  /// Returns the value of `--kafka-group`.
  func kafkaGroup(usual: String) throws -> String {
    let name = arguments.value("kafka-group") ?? usual
    guard name.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
      throw usage("--kafka-group wants a name")
    }
    return name
  }

  private func kafkaBrokers(_ text: String) throws(UsageError) -> String {
    let brokers = text.split(separator: ",", omittingEmptySubsequences: false)
    for broker in brokers where !KafkaName.isBroker(broker) {
      // The text before an @ may be a password.
      guard !broker.contains("@") else {
        throw usage("--kafka takes no user and no password: those are --kafka-config sasl.username=…, or @FILE")
      }
      throw usage("--kafka wants HOST:PORT, several with commas, not \"\(broker)\"")
    }
    return brokers.joined(separator: ",")
  }

  // Errors never contain the values: any of them may be a password.
  private func kafkaProperties() throws -> [KafkaCluster.Property] {
    var properties: [KafkaCluster.Property] = []
    func take(_ property: KafkaCluster.Property) throws {
      if let option = KafkaOptions.saidElsewhere[property.name] {
        throw usage("\(property.name) is what \(option) says; it is no --kafka-config")
      }
      properties.removeAll { $0.name == property.name }
      properties.append(KafkaCluster.Property(property.name, try kafkaValue(of: property)))
    }
    for text in arguments.values("kafka-config") {
      if text.hasPrefix("@") {
        for property in try kafkaProperties(of: String(text.dropFirst())) { try take(property) }
      } else if let property = KafkaCluster.Property(line: text) {
        try take(property)
      } else {
        throw usage("--kafka-config wants NAME=VALUE, or @FILE for a file of them")
      }
    }
    return properties
  }

  /// Returns the value that `env:VARIABLE` or `file:PATH` leads to; every other value as it is.
  private func kafkaValue(of property: KafkaCluster.Property) throws -> String {
    if property.value.hasPrefix("env:") {
      let name = String(property.value.dropFirst(4))
      guard let value = variables[name] else {
        throw CLIError(
          CLIErrorCode.configurationInvalid,
          "\(property.name) wants the environment variable \(name), which is not set")
      }
      return value
    }
    guard property.value.hasPrefix("file:") else { return property.value }
    let path = String(property.value.dropFirst(5))
    guard var text = String(validating: try bytes(of: path), as: UTF8.self) else {
      throw CLIError(CLIErrorCode.configurationInvalid, "\(path) is not a text in UTF-8")
    }
    // An editor ends the last line.
    while text.last?.isNewline == true { text.removeLast() }
    return text
  }

  private func kafkaProperties(of file: String) throws -> [KafkaCluster.Property] {
    guard let text = String(validating: try bytes(of: file), as: UTF8.self) else {
      throw CLIError(CLIErrorCode.configurationInvalid, "\(file) is not a text in UTF-8")
    }
    var properties: [KafkaCluster.Property] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let line = line.trimmedOfWhitespace
      if line.isEmpty || line.hasPrefix("#") { continue }
      guard let property = KafkaCluster.Property(line: line) else {
        throw CLIError(
          CLIErrorCode.configurationInvalid, "\(file):\(index + 1) is no NAME=VALUE",
          advice: ["A line is a property, as security.protocol=SASL_SSL, or a comment that begins with #."])
      }
      properties.append(property)
    }
    return properties
  }

  private func kafkaTopics(_ roles: [KafkaTopicNames.Role], besides services: [KafkaServiceEntry]) throws(UsageError)
    -> KafkaTopicNames
  {
    var topics = KafkaTopicNames()
    for text in arguments.values("kafka-topic") {
      guard let equals = text.firstIndex(of: "=") else {
        throw usage("--kafka-topic wants ROLE=NAME, not \"\(text)\"")
      }
      let word = String(text[..<equals])
      let name = String(text[text.index(after: equals)...])
      let known = roles.map(\.rawValue)
      guard let role = KafkaTopicNames.Role(rawValue: word), roles.contains(role) else {
        let near = NearNames.nearest(to: word, among: known, completes: true).map { "did you mean \($0)?" }
        throw usage(
          "--kafka-topic knows no \"\(word)\"; \(near ?? "there is \(known.joined(separator: ", "))")")
      }
      guard KafkaName.isTopic(name) else {
        throw usage("\"\(name)\" is no topic's name: up to 249 letters, digits, dots, underscores and hyphens")
      }
      topics[role] = name
    }
    // A process that reads its own output would never come to an end.
    var taken = Dictionary(services.map { ($0.topic, "the service \($0.name)") }) { first, _ in first }
    for role in KafkaTopicNames.Role.allCases {
      if let other = taken.updateValue(role.rawValue, forKey: topics[role]) {
        throw usage("the topic \(topics[role]) can't be that of \(role.rawValue) and of \(other) at once")
      }
    }
    return topics
  }

  private func kafkaServices() throws(UsageError) -> [KafkaServiceEntry] {
    let named = arguments.values("kafka-service")
    guard !named.isEmpty else { return KafkaServiceEntry.laboratory }
    var services: [KafkaServiceEntry] = []
    for text in named {
      guard let service = KafkaServiceEntry(text) else {
        throw usage("--kafka-service wants NAME=TOPIC or NAME=TOPIC,tombstones, not \"\(text)\"")
      }
      services.removeAll { $0.name == service.name }
      services.append(service)
    }
    return services
  }

  private func schemaRegistry() throws -> String? {
    guard var url = arguments.value("schema-registry") else { return nil }
    if url.hasPrefix("@") {
      url = String(decoding: try bytes(of: String(url.dropFirst())), as: UTF8.self).trimmedOfWhitespace
    }
    // The error doesn't repeat the URL, because the URL may contain a password.
    guard !url.contains(where: \.isWhitespace),
      ["http://", "https://"].contains(where: { url.hasPrefix($0) && url.count > $0.count })
    else {
      throw usage("--schema-registry wants a URL that begins with http:// or https://")
    }
    while url.hasSuffix("/") { url.removeLast() }
    return url
  }
}

extension KafkaCluster.Property {
  /// `NAME=VALUE`, without the spaces around either.
  fileprivate init?(line: some StringProtocol) {
    guard let equals = line.firstIndex(of: "=") else { return nil }
    let name = line[..<equals].trimmedOfWhitespace
    guard !name.isEmpty, !name.contains(where: \.isWhitespace) else { return nil }
    self.init(name, line[line.index(after: equals)...].trimmedOfWhitespace)
  }
}

extension StringProtocol {
  fileprivate var trimmedOfWhitespace: String {
    let start = firstIndex { !$0.isWhitespace } ?? endIndex
    let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
    return String(self[start..<end])
  }
}

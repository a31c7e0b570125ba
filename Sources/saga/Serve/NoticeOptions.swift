import Foundation
import HTTP
import JSON
import Messaging
import Notifications
import Runtime
import Values
import WorkflowEngine
import Workflows

/// The options of `saga serve` for the destinations of notices.
enum NoticeOptions {
  static let all = [
    OptionSpec(
      "webhook", value: "[NAME=]URL[,TYPE…]", repeats: true,
      help: "where notices of stuck and overdue sagas are posted to, signed with SAGA_WEBHOOK_SECRET"),
    OptionSpec("webhooks", value: "FILE", help: "the same as a JSON file, each with a secret of its own"),
    OptionSpec(
      "kafka-notices", value: "TYPES",
      help: "which notices go to Kafka, with commas; those that need a person, when --kafka is given; none, or all"),
    OptionSpec("notice-patience", value: "TIME", help: "for how long a notice is tried before it is given up; 24h"),
  ]

  /// The environment variable with the secret of `--webhook`. Every user of the machine could read it on the command
  /// line.
  static let variable = "SAGA_WEBHOOK_SECRET"
}

/// The configuration of a webhook.
struct WebhookEntry: Sendable, Equatable {
  let name: String
  let url: String
  let secrets: [WebhookSecret]
  let types: Set<NoticeType>
}

/// The destinations of notices.
struct NoticeSettings: Sendable, Equatable {
  let webhooks: [WebhookEntry]
  /// The types that go to Kafka, if there is Kafka; empty for none.
  let kafkaTypes: Set<NoticeType>
  /// The time for which a notice is tried; nil for the usual time.
  var patience: Duration?

  var configuration: Notices.Configuration {
    var configuration = Notices.Configuration()
    if let patience { configuration.giveUpAfter = patience }
    return configuration
  }

  /// The settings that a process prints when it starts: of a URL only its host, never a secret.
  var shown: [(name: String, value: String)] {
    webhooks.map { ("webhook", "\($0.name), \(Webhook.origin(of: $0.url))") }
  }

  /// - Parameters:
  ///   - kafka: the cluster for notices, if there is one.
  ///   - client: makes the calls.
  func destinations(
    kafka: KafkaSettings?, client: HTTPClient, environment: Runtime.Environment, log: Log
  ) throws(KafkaError) -> [any NoticeDestination] {
    var all: [any NoticeDestination] = webhooks.map { entry in
      Webhook(
        name: entry.name, url: entry.url, secrets: entry.secrets, types: entry.types, client: client,
        environment: environment)
    }
    if let kafka, !kafkaTypes.isEmpty {
      all.append(
        try KafkaNotices(
          cluster: kafka.cluster, topic: KafkaTopic(kafka.topics.notices), types: kafkaTypes, log: log))
    }
    return all
  }
}

extension Invocation {
  /// Returns the destinations of `--webhook`, `--webhooks` and `--kafka-notices`.
  func notices() throws -> NoticeSettings {
    var webhooks: [WebhookEntry] = []
    if let file = arguments.value("webhooks") { webhooks += try listedWebhooks(file) }
    for text in arguments.values("webhook") { webhooks.append(try webhook(text)) }
    var names: Set<String> = ["kafka"]
    for webhook in webhooks where !names.insert(webhook.name).inserted {
      throw CLIError(
        CLIErrorCode.configurationInvalid,
        webhook.name == "kafka"
          ? "\"kafka\" is the name of the topic of notices: give the webhook another"
          : "two webhooks are called \"\(webhook.name)\": a name tells what each has been told",
        advice: ["Give one of them a name of its own: --webhook night-shift=https://…"])
    }
    return NoticeSettings(webhooks: webhooks, kafkaTypes: try kafkaNotices(), patience: try patience())
  }

  private func patience() throws -> Duration? {
    guard let text = arguments.value("notice-patience") else { return nil }
    guard let time = DurationText.parse(text), time > .zero else {
      throw usage("--notice-patience wants a time as 24h, not \"\(text)\"")
    }
    return time
  }

  private func kafkaNotices() throws -> Set<NoticeType> {
    guard let text = arguments.value("kafka-notices") else { return NoticeType.usual }
    guard arguments.value("kafka") != nil else {
      throw usage("--kafka-notices says what goes to Kafka, but --kafka BROKERS doesn't say where it is")
    }
    switch text {
    case "none": return []
    case "all": return NoticeType.all
    default:
      let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      do throws(UnknownNotice) {
        return try Self.types(words)
      } catch {
        throw usage("--kafka-notices \(error.message)")
      }
    }
  }

  // MARK: On the command line

  private func webhook(_ text: String) throws -> WebhookEntry {
    let isURL = { (text: Substring) in text.hasPrefix("http://") || text.hasPrefix("https://") }
    var rest = Substring(text)
    var name: String?
    if !isURL(rest), let equals = rest.firstIndex(of: "=") {
      name = String(rest[..<equals])
      rest = rest[rest.index(after: equals)...]
    }
    guard isURL(rest) else {
      throw usage("--webhook wants a URL that begins with http:// or https://, and may have a name before it: NAME=URL")
    }
    // A URL may contain commas. A type contains none of the characters that a URL needs before a comma.
    var words = rest.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let url = words.removeFirst()
    // The text before an @ may be a password.
    guard Webhook.origin(of: url).count == Self.authorityEnd(of: url) else {
      throw usage("--webhook takes no user and no password: a file that only you may read does, --webhooks FILE")
    }
    let types: Set<NoticeType>
    do throws(UnknownNotice) {
      types = words.isEmpty ? NoticeType.usual : try Self.types(words)
    } catch {
      throw usage("--webhook \(error.message)")
    }
    guard let secret = variables[NoticeOptions.variable], !secret.isEmpty else {
      throw CLIError(
        CLIErrorCode.configurationInvalid,
        "--webhook wants a secret in the environment variable \(NoticeOptions.variable), for receivers to know who posts",
        advice: ["Make one: \(NoticeOptions.variable)=whsec_$(openssl rand -base64 32)"])
    }
    return try entry(
      name: name, url: url, secret: secret, types: types, place: "the variable \(NoticeOptions.variable)",
      of: "--webhook")
  }

  /// Returns the length of a URL up to the end of its host and port.
  private static func authorityEnd(of url: String) -> Int {
    guard let slashes = url.firstRange(of: "://") else { return 0 }
    let end = url[slashes.upperBound...].firstIndex { "/?#".contains($0) } ?? url.endIndex
    return url.distance(from: url.startIndex, to: end)
  }

  // MARK: In a file

  private func listedWebhooks(_ file: String) throws -> [WebhookEntry] {
    guard let all = try settings(of: file).arrayValue else { throw Self.wrong(file, "is no array of webhooks") }
    return try all.enumerated().map { index, one in
      guard let members = one.objectValue else {
        throw Self.wrong(file, "has at [\(index)] something that is no webhook")
      }
      let place = "[\(index)]"
      let known = ["name", "url", "secretFile", "secretEnv", "types"]
      if let unknown = members.keys.first(where: { !known.contains($0) }) {
        let near =
          NearNames.nearest(to: unknown, among: known, completes: true).map { "; did you mean \"\($0)\"?" } ?? ""
        throw Self.wrong(file, "says \"\(unknown)\" at \(place)\(near)")
      }
      guard let name = members["name"]?.stringValue else { throw Self.wrong(file, "has no \"name\" at \(place)") }
      guard let url = members["url"]?.stringValue, url.hasPrefix("http://") || url.hasPrefix("https://") else {
        throw Self.wrong(file, "gives \"\(name)\" no \"url\" that begins with http:// or https://")
      }
      var types = NoticeType.usual
      if let listed = members["types"] {
        guard let words = listed.arrayValue?.map({ $0.stringValue ?? "" }) else {
          throw Self.wrong(file, "gives \"\(name)\" \"types\" that are no array")
        }
        do throws(UnknownNotice) {
          types = try Self.types(words)
        } catch {
          throw Self.wrong(file, "of \"\(name)\": \(error.message)")
        }
      }
      let (secret, from) = try secret(of: members, name, file)
      return try entry(name: name, url: url, secret: secret, types: types, place: from, of: file)
    }
  }

  private func secret(of members: JSONObject, _ name: String, _ file: String) throws -> (String, place: String) {
    switch (members["secretFile"]?.stringValue, members["secretEnv"]?.stringValue) {
    case (let path?, nil):
      return (String(decoding: try bytes(of: path), as: UTF8.self), "the file \(path)")
    case (nil, let variable?):
      guard let secret = variables[variable] else {
        throw Self.wrong(file, "of \"\(name)\" names the variable \(variable), which is not set")
      }
      return (secret, "the variable \(variable)")
    default:
      throw Self.wrong(file, "wants for \"\(name)\" either \"secretFile\" or \"secretEnv\"")
    }
  }

  private static func wrong(_ file: String, _ what: String) -> CLIError {
    CLIError(
      CLIErrorCode.configurationInvalid, "\(file) \(what)",
      advice: [
        "It looks like [{\"name\": \"night-shift\", \"url\": \"https://pager.lab/saga\", \"secretFile\": "
          + "\"/etc/saga/pager.secret\"}]"
      ])
  }

  // MARK: Both

  private func entry(
    name: String?, url: String, secret: String, types: Set<NoticeType>, place: String, of source: String
  ) throws -> WebhookEntry {
    let origin = Webhook.origin(of: url)
    let host = origin.firstRange(of: "://").map { String(origin[$0.upperBound...]) } ?? ""
    let name = name ?? host.replacing(":", with: "-")
    let isName = !name.isEmpty && name.utf8.count <= 60 && name.utf8.allSatisfy(Self.isNameByte)
    guard isName, !host.isEmpty else {
      throw CLIError(
        CLIErrorCode.configurationInvalid,
        host.isEmpty
          ? "\(source) names a webhook without a host"
          : "\(source): \"\(name)\" is no name for a webhook: up to 60 letters, digits, dots, underscores and hyphens",
        advice: ["Give it one: --webhook night-shift=https://…"])
    }
    // In a file, a URL may contain a user and a password.
    let address = origin + url.dropFirst(Self.authorityEnd(of: url))
    if let mistake = WebAddress.mistake(in: address, mayHaveQuery: true) ?? WebAddress.refusal(of: address) {
      throw CLIError(CLIErrorCode.configurationInvalid, "\(source): the URL of \"\(name)\" \(mistake)")
    }
    do throws(EngineError) {
      return WebhookEntry(name: name, url: url, secrets: try WebhookSecret.read(secret), types: types)
    } catch {
      throw CLIError(
        error.code, "\(place), for the webhook \"\(name)\": \(error.message)",
        advice: ["Make one: echo whsec_$(openssl rand -base64 32)"])
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private struct UnknownNotice: Error { let message: String }

  private static func types(_ words: [String]) throws(UnknownNotice) -> Set<NoticeType> {
    let known = NoticeType.all.map(\.rawValue).sorted()
    guard !words.isEmpty else { throw UnknownNotice(message: "names no type of notice") }
    var types: Set<NoticeType> = []
    for word in words {
      guard let type = NoticeType(rawValue: word), NoticeType.all.contains(type) else {
        let near = NearNames.nearest(to: word, among: known, completes: true).map { "did you mean \($0)?" }
        throw UnknownNotice(
          message: "knows no notice \"\(word)\"; \(near ?? "there is \(known.joined(separator: ", "))")")
      }
      types.insert(type)
    }
    return types
  }
}

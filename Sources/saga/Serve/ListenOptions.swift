import HTTP

/// The options for a server's address and its host names, the same for the engine and the laboratory.
enum ListenOptions {
  static func all(port: Int) -> [OptionSpec] {
    [
      OptionSpec("host", value: "ADDRESS", help: "where to listen; 127.0.0.1"),
      OptionSpec("port", value: "PORT", help: "\(port); 0 takes a free one"),
      OptionSpec(
        "allowed-hosts", value: "NAMES",
        help: "names under which the server may be asked, with commas, beside the loopback's and the address it "
          + "listens on; every other Host is refused"),
      OptionSpec(
        "insecure", help: "listen where other machines can connect, though whoever reaches the port can do everything"),
    ]
  }
}

extension Invocation {
  /// Returns the configuration from `ListenOptions`.
  /// - Parameter asksWhoCalls: whether the server asks its callers for a key.
  /// - Throws: when other machines could connect without a key and no option allows it.
  func listening(port usual: Int, asksWhoCalls: Bool = false) throws -> HTTPServerConfiguration {
    let host = arguments.value("host") ?? "127.0.0.1"
    let configuration = HTTPServerConfiguration(
      host: host, port: try port(else: usual), hosts: HostPolicy(bound: host, allowed: try allowedHosts()))
    guard configuration.isLoopback || asksWhoCalls || arguments.has("insecure") else {
      let keys = command.options.contains { $0.name == OptionSpec.keys.name }
      throw CLIError(
        CLIErrorCode.insecure,
        "\(host) can be reached from other machines, and the server doesn't ask who is calling: whoever reaches the "
          + "port can do everything",
        advice: (keys ? ["Say --keys FILE, so that it asks for a key: `saga key create` makes one."] : []) + [
          "Leave --host out and put a proxy in front that lets in whom you know, or say --insecure where the network "
            + "does that."
        ])
    }
    return configuration
  }

  private func allowedHosts() throws(UsageError) -> Set<String> {
    guard let text = arguments.value("allowed-hosts") else { return [] }
    var names: Set<String> = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let name = HostPolicy.name(String(word)), !name.isEmpty else {
        throw usage(
          "--allowed-hosts wants names or addresses without a port, as saga.lab.example, not \"\(word)\"; other than "
            + "ASCII letters are written as in DNS, xn--…")
      }
      names.insert(name)
    }
    return names
  }
}

// swift-tools-version: 6.2
import PackageDescription

// No `dependencies:`. Outside the toolchain the package stands on C libraries that every distribution keeps.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

func cLibrary(_ name: String, pkgConfig: String, apt: String, brew: String) -> Target {
  .systemLibrary(
    name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig,
    providers: [.apt([apt]), .brew([brew])])
}

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: strict)
}

func tests(_ name: String, of dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: strict)
}

let package = Package(
  name: "tracseq-sagas",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "saga", targets: ["saga"]),
    // For a program that has the engine inside: `Examples/Embedding`.
    .library(name: "EmbeddedSagas", targets: ["EmbeddedSagas"]),
  ],
  targets: [
    // C libraries, one folder each.
    cLibrary("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev", brew: "openssl@3"),
    cLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev", brew: "curl"),
    cLibrary("CKafka", pkgConfig: "rdkafka", apt: "librdkafka-dev", brew: "librdkafka"),
    cLibrary("CMicrohttpd", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev", brew: "libmicrohttpd"),
    cLibrary("CPostgres", pkgConfig: "libpq", apt: "libpq-dev", brew: "libpq"),
    cLibrary("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev", brew: "sqlite"),
    cLibrary("CTLS", pkgConfig: "libssl", apt: "libssl-dev", brew: "openssl@3"),
    .systemLibrary(name: "CSystem", path: "Sources/CLibraries/CSystem"),

    // Files that the program carries: a C target, because clang knows C23's #embed.
    .target(name: "CAssets", path: "Sources/CLibraries/CAssets"),
    module("Assets", ["CAssets"]),

    // The leaves: JSON, the values that every module speaks in (timestamps, ids, digests), and what a process takes from
    // its surroundings (time, ids, randomness).
    module("JSON"),
    module("Values", ["JSON", "CCrypto"]),
    module("Runtime", ["JSON", "Values", "CCrypto"]),

    // The requests and responses of the REST API, which the server and the command line share.
    module("Wire", ["JSON", "Values"]),

    // Regular expressions in linear time, and the schemas that use them: pure, and useful without workflows.
    module("Patterns"),
    module("JSONSchema", ["JSON", "Values", "Patterns"]),

    module("Workflows", ["JSON", "Values", "Patterns", "JSONSchema"]),
    // What helps the author of a workflow: its picture, and what changed between two versions. Pure.
    module("Authoring", ["JSON", "Values", "Workflows"]),
    // What a saga is: its events, its state, and what follows from a command. Pure.
    module("SagaCore", ["JSON", "Values", "JSONSchema", "Workflows"]),
    // One saga of a workflow in virtual time, and every failure that can happen to it. Pure.
    module("Rehearsal", ["JSON", "Values", "JSONSchema", "Workflows", "SagaCore"]),
    // The stores in memory and SQLite, and beside them the one in Postgres: a program links libpq only when it uses it.
    module("Persistence", ["JSON", "Runtime", "Values", "CSQLite", "CSystem"]),
    module("PostgresPersistence", ["Runtime", "Values", "Persistence", "CPostgres"]),
    module("HTTP", ["JSON", "Runtime", "Values", "CCurl", "CMicrohttpd", "CSystem", "CTLS"]),
    module("Messaging", ["JSON", "Runtime", "Values", "HTTP", "CKafka"]),
    // Where the event store and Kafka meet: the echo, and processors that keep their state in a store.
    module("Streaming", ["JSON", "Runtime", "Values", "Workflows", "Persistence", "Messaging"]),
    // The engine over one store: actors, scheduler, recovery, operations, read model. It knows no wire.
    module("WorkflowEngine", ["JSON", "Runtime", "Values", "JSONSchema", "Workflows", "SagaCore", "Persistence"]),
    // Beside the engine: who makes its attempts, who brings it messages, who hears of its sagas.
    module("HTTPSteps", ["JSON", "Runtime", "Values", "Workflows", "SagaCore", "HTTP", "WorkflowEngine"]),
    module(
      "KafkaGateway",
      [
        "Assets", "JSON", "Runtime", "Values", "Workflows", "SagaCore", "Persistence", "Messaging", "Streaming",
        "WorkflowEngine",
      ]),
    module(
      "Notifications",
      [
        "JSON", "Runtime", "Values", "Workflows", "SagaCore", "Persistence", "HTTP", "Messaging", "WorkflowEngine",
      ]),
    // The engine inside a Swift program: steps as closures, on SQLite.
    module(
      "EmbeddedSagas", ["JSON", "Runtime", "Values", "Workflows", "SagaCore", "Persistence", "WorkflowEngine"]),
    // A participant of an author's own making, from a file of rules. Beside the product, as the laboratory.
    module("Stub", ["JSON", "Runtime", "Values", "Workflows", "HTTP"]),
    module("Laboratory", ["JSON", "Runtime", "Values", "Persistence", "HTTP", "Messaging", "Streaming"]),
    module(
      "Server",
      [
        "Assets", "JSON", "Runtime", "Values", "JSONSchema", "Wire", "Workflows", "SagaCore", "Persistence", "HTTP",
        "Messaging", "Streaming", "WorkflowEngine", "HTTPSteps", "KafkaGateway", "Notifications",
      ]),
    .executableTarget(
      name: "saga",
      dependencies: [
        "Assets", "JSON", "Runtime", "Values", "JSONSchema", "Wire", "Workflows", "SagaCore", "Rehearsal",
        "Persistence",
        "PostgresPersistence", "HTTP", "Messaging", "Streaming", "WorkflowEngine", "HTTPSteps", "KafkaGateway",
        "Notifications", "Laboratory", "Stub", "Server", "CSystem", "Authoring",
      ],
      path: "Sources/saga", swiftSettings: strict),

    // What docs/performance.md quotes.
    .target(
      name: "BenchSupport",
      dependencies: [
        "JSON", "Runtime", "Values", "SagaCore", "Persistence", "PostgresPersistence", "WorkflowEngine",
      ],
      path: "Benchmarks/Support", swiftSettings: strict),
    .executableTarget(
      name: "saga-bench",
      dependencies: [
        "BenchSupport", "CSystem", "JSON", "Runtime", "Values", "Workflows", "SagaCore", "Rehearsal", "Persistence",
        "PostgresPersistence", "WorkflowEngine",
      ],
      path: "Benchmarks/SagaBench", swiftSettings: strict),
    .executableTarget(
      name: "kafka-bench",
      dependencies: [
        "BenchSupport", "CKafka", "Runtime", "Values", "Persistence", "SagaCore", "Messaging", "Streaming",
        "WorkflowEngine", "KafkaGateway",
      ],
      path: "Benchmarks/KafkaBench", swiftSettings: strict),

    // Tests, one folder a module.
    .target(
      name: "TestSupport", dependencies: ["JSON", "Runtime", "Values", "HTTP", "Persistence"],
      path: "Tests/TestSupport",
      swiftSettings: strict),
    tests("Assets", of: ["Assets", "TestSupport"]),
    tests("JSON", of: ["JSON", "TestSupport"]),
    tests("Values", of: ["Values", "JSON", "Runtime", "TestSupport"]),
    tests("Runtime", of: ["Runtime", "JSON", "Values", "TestSupport"]),
    tests("Patterns", of: ["Patterns", "TestSupport"]),
    tests("JSONSchema", of: ["JSONSchema", "JSON", "Runtime", "Values", "TestSupport"]),
    tests("Workflows", of: ["Workflows", "JSONSchema", "Values", "JSON", "TestSupport"], exclude: ["Stored"]),
    tests(
      "Rehearsal", of: ["Rehearsal", "SagaCore", "Workflows", "JSONSchema", "JSON", "Values", "TestSupport"]),
    tests("Authoring", of: ["Authoring", "Workflows", "Values", "JSON", "TestSupport"]),
    tests("Stub", of: ["Stub", "HTTP", "Workflows", "JSON", "Runtime", "Values", "TestSupport"]),
    tests("Persistence", of: ["Persistence", "PostgresPersistence", "JSON", "Runtime", "Values", "TestSupport"]),
    tests("HTTP", of: ["HTTP", "JSON", "Runtime", "Values", "TestSupport"]),
    tests("Messaging", of: ["Messaging", "HTTP", "JSON", "Runtime", "Values", "TestSupport", "kafka-broker"]),
    tests(
      "Streaming",
      of: [
        "Streaming", "Messaging", "Persistence", "Workflows", "JSON", "Runtime", "Values", "TestSupport",
        "kafka-broker",
      ]),
    tests(
      "WorkflowEngine",
      of: [
        "WorkflowEngine", "HTTPSteps", "KafkaGateway", "Notifications", "SagaCore", "Rehearsal", "Workflows",
        "Persistence", "PostgresPersistence", "HTTP", "Messaging", "Streaming", "JSON", "JSONSchema", "Runtime",
        "Values", "TestSupport",
        "kafka-broker",
      ], exclude: ["Fixtures"]),
    tests(
      "EmbeddedSagas",
      of: [
        "EmbeddedSagas", "WorkflowEngine", "SagaCore", "Persistence", "JSON", "JSONSchema", "Values", "TestSupport",
      ]),
    tests(
      "Laboratory",
      of: [
        "Laboratory", "Persistence", "HTTP", "Messaging", "Streaming", "JSON", "Runtime", "Values", "TestSupport",
        "kafka-broker",
      ]),
    tests(
      "Server",
      of: [
        "Assets", "Server", "WorkflowEngine", "HTTPSteps", "KafkaGateway", "Notifications", "SagaCore", "Workflows",
        "Persistence", "HTTP", "Messaging", "Streaming", "JSON", "Runtime", "Values", "Wire",
        "TestSupport",
      ], exclude: ["Answers", "OIDC/tokens.json"]),
    .testTarget(
      name: "CLITests",
      dependencies: [
        "saga", "Authoring", "HTTP", "JSON", "JSONSchema", "Laboratory", "Messaging", "Persistence", "Rehearsal",
        "Runtime",
        "Values",
        "Streaming", "Wire", "Workflows", "SagaCore", "WorkflowEngine", "Notifications", "KafkaGateway", "TestSupport",
      ],
      path: "Tests/CLI", exclude: ["Goldens", "Sagas"], swiftSettings: strict),
    // The engine in simulation: a world in virtual time, the command that runs seeds of it, and the tests.
    .target(
      name: "Simulation",
      dependencies: [
        "JSON", "Runtime", "Values", "Workflows", "SagaCore", "Persistence", "WorkflowEngine", "TestSupport",
      ],
      path: "Tests/Simulation/World", swiftSettings: strict),
    .executableTarget(
      name: "saga-simulate", dependencies: ["Simulation"], path: "Tests/Simulation/Command", swiftSettings: strict),
    .testTarget(
      name: "SimulationTests", dependencies: ["Simulation", "TestSupport", "saga-simulate"],
      path: "Tests/Simulation/Tests", swiftSettings: strict),
    tests("Rules", of: ["JSON", "TestSupport"]),
    tests(
      "System",
      of: [
        "JSON", "Runtime", "Values", "HTTP", "Messaging", "Workflows", "Authoring", "SagaCore", "Persistence",
        "WorkflowEngine", "TestSupport", "kafka-broker",
      ],
      exclude: ["Clients/Python"]
    ),
    // A Kafka on the wire for the tests: librdkafka's mock cluster as a process of its own.
    .executableTarget(
      name: "kafka-broker", dependencies: ["CKafka"], path: "Tests/KafkaBroker", swiftSettings: strict),
  ]
)

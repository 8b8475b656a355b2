public import VoltCore

/// The order in which workloads are started, from what each waits for.
public struct StartOrder: Sendable, Equatable {
    /// The workloads, each behind those that it waits for; by name where the order is free.
    public private(set) var workloads: [Name] = []
    /// The dependencies of each, without those that would lead back to it. Names that are not among the workloads stay: they
    /// are of other kinds, or not there.
    public private(set) var dependencies: [Name: [Name]]
    /// The dependencies that were left out as circles, a line for people each.
    public private(set) var notes: [String] = []

    /// Sorts. A function of values: nothing is looked at.
    ///
    /// - Parameter after: the workloads with the names that each waits for.
    public init(_ after: [Name: [Name]]) {
        dependencies = after
        var done: Set<Name> = []
        for root in after.keys.sorted() where !done.contains(root) {
            // The way from the root, each with the number of its dependencies that were looked at.
            var way = [(name: root, next: 0)]
            while let (name, next) = way.last {
                let waits = after[name] ?? []
                guard next < waits.count else {
                    way.removeLast()
                    done.insert(name)
                    workloads.append(name)
                    continue
                }
                way[way.count - 1].next += 1
                let dependency = waits[next]
                if let start = way.firstIndex(where: { $0.name == dependency }) {
                    let circle = way[start...].map(\.name.text) + [dependency.text]
                    dependencies[name]?.removeAll { $0 == dependency }
                    notes.append(
                        "'after' leads back to '\(dependency)': \(circle.joined(separator: " -> ")); "
                            + "'\(name)' does not wait for '\(dependency)'")
                } else if after[dependency] != nil, !done.contains(dependency) {
                    way.append((dependency, 0))
                }
            }
        }
    }
}

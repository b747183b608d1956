#if DEBUG
    import Synchronization

    /// The toolchain's `Atomic`, each access to which is a step that a test can put in order (``InterleavedThread``). In a
    /// debug build it stands in the place of that one, under its name, with the orderings that are asked for.
    struct Atomic<Value: AtomicRepresentable>: ~Copyable, @unchecked Sendable {
        fileprivate let storage: Synchronization.Atomic<Value>

        init(_ value: consuming Value) { storage = Synchronization.Atomic(value) }
    }

    // The toolchain asks for orderings that the compiler knows, so each function is inlined where it is called; and
    // it has one function for each size of the representation, which no generic one can call.

    // MARK: One byte

    extension Atomic where Value.AtomicRepresentation == Bool.AtomicRepresentation {
        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func load(ordering: AtomicLoadOrdering) -> Value {
            Interleaving.step()
            return storage.load(ordering: ordering)
        }

        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func store(_ value: consuming Value, ordering: AtomicStoreOrdering) {
            Interleaving.step()
            return storage.store(value, ordering: ordering)
        }

        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func exchange(_ value: consuming Value, ordering: AtomicUpdateOrdering) -> Value {
            Interleaving.step()
            return storage.exchange(value, ordering: ordering)
        }

        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func compareExchange(
            expected: consuming Value, desired: consuming Value, ordering: AtomicUpdateOrdering
        ) -> (exchanged: Bool, original: Value) {
            Interleaving.step()
            return storage.compareExchange(expected: expected, desired: desired, ordering: ordering)
        }
    }

    // MARK: Eight bytes

    extension Atomic where Value.AtomicRepresentation == Int.AtomicRepresentation {
        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func load(ordering: AtomicLoadOrdering) -> Value {
            Interleaving.step()
            return storage.load(ordering: ordering)
        }

        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func store(_ value: consuming Value, ordering: AtomicStoreOrdering) {
            Interleaving.step()
            return storage.store(value, ordering: ordering)
        }

        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func exchange(_ value: consuming Value, ordering: AtomicUpdateOrdering) -> Value {
            Interleaving.step()
            return storage.exchange(value, ordering: ordering)
        }

        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func compareExchange(
            expected: consuming Value, desired: consuming Value, ordering: AtomicUpdateOrdering
        ) -> (exchanged: Bool, original: Value) {
            Interleaving.step()
            return storage.compareExchange(expected: expected, desired: desired, ordering: ordering)
        }
    }

    // MARK: What only numbers have

    extension Atomic where Value.AtomicRepresentation == Int.AtomicRepresentation {
        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func weakCompareExchange(
            expected: consuming Value, desired: consuming Value, successOrdering: AtomicUpdateOrdering,
            failureOrdering: AtomicLoadOrdering
        ) -> (exchanged: Bool, original: Value) {
            Interleaving.step()
            return storage.weakCompareExchange(
                expected: expected, desired: desired, successOrdering: successOrdering,
                failureOrdering: failureOrdering)
        }

        @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func weakCompareExchange(
            expected: consuming Value, desired: consuming Value, ordering: AtomicUpdateOrdering
        ) -> (exchanged: Bool, original: Value) {
            Interleaving.step()
            return storage.weakCompareExchange(expected: expected, desired: desired, ordering: ordering)
        }
    }

    extension Atomic where Value == Int {
        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func add(_ operand: Int, ordering: AtomicUpdateOrdering) -> (oldValue: Int, newValue: Int) {
            Interleaving.step()
            return storage.add(operand, ordering: ordering)
        }

        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func subtract(_ operand: Int, ordering: AtomicUpdateOrdering) -> (oldValue: Int, newValue: Int) {
            Interleaving.step()
            return storage.subtract(operand, ordering: ordering)
        }

        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func wrappingAdd(_ operand: Int, ordering: AtomicUpdateOrdering) -> (oldValue: Int, newValue: Int) {
            Interleaving.step()
            return storage.wrappingAdd(operand, ordering: ordering)
        }

        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func wrappingSubtract(_ operand: Int, ordering: AtomicUpdateOrdering) -> (oldValue: Int, newValue: Int) {
            Interleaving.step()
            return storage.wrappingSubtract(operand, ordering: ordering)
        }
    }

    extension Atomic where Value == UInt {
        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func wrappingAdd(_ operand: UInt, ordering: AtomicUpdateOrdering) -> (oldValue: UInt, newValue: UInt) {
            Interleaving.step()
            return storage.wrappingAdd(operand, ordering: ordering)
        }
    }

    extension Atomic where Value == UInt64 {
        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func wrappingAdd(_ operand: UInt64, ordering: AtomicUpdateOrdering) -> (oldValue: UInt64, newValue: UInt64) {
            Interleaving.step()
            return storage.wrappingAdd(operand, ordering: ordering)
        }

        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func wrappingSubtract(_ operand: UInt64, ordering: AtomicUpdateOrdering) -> (oldValue: UInt64, newValue: UInt64) {
            Interleaving.step()
            return storage.wrappingSubtract(operand, ordering: ordering)
        }

        @discardableResult @_semantics("atomics.requires_constant_orderings") @_transparent
        borrowing func bitwiseOr(_ operand: UInt64, ordering: AtomicUpdateOrdering) -> (oldValue: UInt64, newValue: UInt64) {
            Interleaving.step()
            return storage.bitwiseOr(operand, ordering: ordering)
        }
    }
#endif

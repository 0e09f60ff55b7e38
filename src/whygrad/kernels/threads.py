"""Threads: tasks of a kernel spread over the cores.

A kernel says ``fork(task, tasks, arguments)``, which runs ``task(t, *arguments)`` for every t < tasks, on several
cores where they are free. What a task computes may depend on t and tasks, never on who runs it or when, so that
results have the same bits from run to run.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

from whygrad.kernels.cache import compiled
from whygrad.kernels.compiler import intrinsic, part
from whygrad.threads import get_num_threads, thread_count

I64 = ir.IntType(64)
BYTES = ir.IntType(8).as_pointer()
TASK = ir.FunctionType(ir.VoidType(), [BYTES, I64])

#: 1 while some thread's tasks are spread over the cores: another thread's run one after the other meanwhile.
_busy = ctypes.c_int64(0)
_runner: Any = None

#: Multiplications, and passes over single numbers, below which a second thread costs more than it saves.
SMALL_PRODUCTS = 500_000
SMALL_PASS = 1 << 16


def link() -> None:
    """Make ``fork`` available to compiled code."""
    global _runner
    if _runner is None:
        get_num_threads()
        llvmlite.binding.add_symbol("whygrad_busy", ctypes.addressof(_busy))
        llvmlite.binding.add_symbol("whygrad_workers", ctypes.addressof(thread_count))
        _runner = compiled("threads.run", "any", _compile_runner)
        llvmlite.binding.add_symbol("whygrad_run", _runner.address)
        if hasattr(os, "register_at_fork"):  # a forked child has none of the threads
            os.register_at_fork(after_in_child=lambda: setattr(_busy, "value", 1))


def _compile_runner(cache: bool) -> Any:
    global spread
    signature = types.void(*[types.int64] * 4)
    spread = numba.njit(signature, parallel=True, nogil=True, cache=cache)(_spread)
    return numba.cfunc(signature, nopython=True, cache=cache)(_run)


def _run(task, frame, tasks, counter):
    if workers() == 1:
        work(task, frame, tasks, counter)
    elif take():
        spread(task, frame, tasks, counter)
        give_back()
    else:
        work(task, frame, tasks, counter)


def _spread(task, frame, tasks, counter):
    for _ in numba.prange(min(tasks, workers())):
        work(task, frame, tasks, counter)


spread: Any = _spread


@part
def work(task, frame, tasks, counter):
    """Run tasks until none is left; whoever is free takes the next."""
    t = advance(counter)
    while t < tasks:
        run_task(task, frame, t)
        t = advance(counter)


@intrinsic
def fork(context: Any, task: Any, tasks: Any, arguments: Any) -> Any:
    """Run ``task(t, *arguments)`` for every t < tasks; see the module's text."""
    takes = (types.int64, *arguments.types)
    task.dispatcher.get_call_template(takes, {})

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        _, tasks, packed = values
        compiled_task = task.dispatcher.get_compile_result(types.void(*takes))
        context.active_code_library.add_linking_library(compiled_task.library)
        frame = cgutils.alloca_once_value(builder, packed)
        counter = cgutils.alloca_once_value(builder, ir.Constant(I64, 0))
        function = _with_frame(context, builder.module, compiled_task.fndesc, packed.type)
        with builder.if_else(builder.icmp_signed("<=", tasks, ir.Constant(I64, 1))) as (alone, together):
            with alone, builder.if_then(builder.icmp_signed("==", tasks, ir.Constant(I64, 1))):
                builder.call(function, [builder.bitcast(frame, BYTES), ir.Constant(I64, 0)])
            with together:
                builder.store(ir.Constant(I64, 0), counter)
                run = cgutils.get_or_insert_function(
                    builder.module, ir.FunctionType(ir.VoidType(), [I64] * 4), "whygrad_run"
                )
                where = [builder.ptrtoint(pointer, I64) for pointer in (function, frame, counter)]
                builder.call(run, [where[0], where[1], tasks, where[2]])
        return context.get_dummy_value()

    return types.void(task, types.int64, arguments), codegen


def _with_frame(context: Any, module: Any, task: Any, frame_type: Any) -> Any:
    """Emit a function (frame, t) that unpacks the frame and calls the task."""
    function = ir.Function(module, TASK, module.get_unique_name("task"))
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block())
    frame = builder.load(builder.bitcast(function.args[0], frame_type.as_pointer()))
    arguments = [builder.extract_value(frame, i) for i in range(len(task.argtypes) - 1)]
    callee = context.declare_function(module, task)
    context.call_conv.call_function(builder, callee, task.restype, task.argtypes, [function.args[1], *arguments])
    builder.ret_void()
    return function


@intrinsic
def run_task(context: Any, task: Any, frame: Any, t: Any) -> Any:
    """Call the function at address ``task`` with (frame, t)."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        function = builder.inttoptr(values[0], TASK.as_pointer())
        builder.call(function, [builder.inttoptr(values[1], BYTES), values[2]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def advance(context: Any, counter: Any) -> Any:
    """Add one to the number at address ``counter`` and return what it was."""

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, ir.Constant(I64, 1), "seq_cst")

    return types.int64(types.int64), codegen


def _cell(builder: Any, name: str) -> Any:
    return builder.module.globals.get(name) or ir.GlobalVariable(builder.module, I64, name)


@intrinsic
def workers(context: Any) -> Any:
    """Return the number of threads to use."""

    def codegen(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        return builder.load(_cell(builder, "whygrad_workers"))

    return types.int64(), codegen


@intrinsic
def take(context: Any) -> Any:
    """Set the busy cell from 0 to 1 and return whether that was possible."""

    def codegen(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
        return builder.extract_value(builder.cmpxchg(_cell(builder, "whygrad_busy"), zero, one, "seq_cst"), 1)

    return types.boolean(), codegen


@intrinsic
def give_back(context: Any) -> Any:
    """Set the busy cell to 0."""

    def codegen(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        builder.store_atomic(ir.Constant(I64, 0), _cell(builder, "whygrad_busy"), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(), codegen


@part
def share(array, task, tasks):
    """Return the part of a vector, or of the rows of an array, that is for one of the tasks."""
    return array[array.shape[0] * task // tasks : array.shape[0] * (task + 1) // tasks]

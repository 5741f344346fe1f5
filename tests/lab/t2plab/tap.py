# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs unittest cases and reports them by the Test Anything Protocol, for meson.

A test's name is the first line of its docstring: a claim; a subtest adds its message. On a machine that cannot run a lab the
whole program is skipped, with the reason.
"""
import sys
import time
import traceback
import unittest

from .lab import why_not


def _name(test):
    claim = test.shortDescription() or str(test)
    return claim.rstrip('.').replace('#', 'No. ')


class TapResult(unittest.TestResult):
    def __init__(self, stream):
        super().__init__()
        self._stream, self._number, self._begun = stream, 0, 0.0

    def _say(self, line):
        self._stream.write(line + '\n')
        self._stream.flush()

    def startTest(self, test):
        super().startTest(test)
        self._begun = time.monotonic()

    def _report(self, verdict, test, note=''):
        self._number += 1
        self._say(f'{verdict} {self._number} - {_name(test)}{note}')

    @staticmethod
    def _part(test, subtest):
        """What a subtest's message adds to the name of its test."""
        return subtest.id().removeprefix(test.id())

    def addSuccess(self, test):
        super().addSuccess(test)
        self._report('ok', test)
        self._say(f'# {time.monotonic() - self._begun:.2f} s')

    def _failed(self, test, err, note=''):
        self._report('not ok', test, note)
        text = ''.join(traceback.format_exception(*err))
        lab = getattr(test, 'lab', None)
        if lab is not None and lab.state:
            text += '\n' + lab.logs(lines=8)
        for line in text.splitlines():
            self._say('# ' + line)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._failed(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._failed(test, err, self._part(test, subtest))
        else:
            self._report('ok', test, self._part(test, subtest))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._report('ok', test, f' # SKIP {reason}')

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._report('not ok', test, ' # TODO')

    def finish(self):
        self._say(f'1..{self._number}')


class LabCase(unittest.TestCase):
    """A case whose tests share one lab, self.lab, made as the class's `options` say."""

    options = {}
    lab = None

    @classmethod
    def setUpClass(cls):
        from .lab import Lab
        cls.lab = Lab(**cls.options).up()

    @classmethod
    def tearDownClass(cls):
        if cls.lab:
            cls.lab.down()
            cls.lab = None


def main():
    """Runs all cases of the calling program; arguments pick tests by part of their names."""
    reason = why_not()
    if reason:
        print(f'1..0 # SKIP {reason}')
        sys.exit(0)
    sys.stdout.reconfigure(encoding='utf-8', errors='backslashreplace')
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        loader.testNamePatterns = [f'*{word}*' for word in sys.argv[1:]]
    suite = loader.loadTestsFromModule(sys.modules['__main__'])
    result = TapResult(sys.stdout)
    suite.run(result)
    result.finish()
    sys.exit(0 if result.wasSuccessful() else 1)

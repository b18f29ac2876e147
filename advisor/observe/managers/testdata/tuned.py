"""Prints what TuneD's own loader makes of its profiles: by profile, the
parameters of the network, "name=value" with quotes taken off."""

import json
import logging
import sys

root = sys.argv[1].rstrip("/")
sys.path.insert(0, root + "/usr/lib/python3/dist-packages")

from tuned.profiles.exceptions import InvalidProfileException
from tuned.profiles.factory import Factory
from tuned.profiles.loader import Loader
from tuned.profiles.locator import Locator
from tuned.profiles.merger import Merger
from tuned.profiles.variables import Variables

logging.disable(logging.CRITICAL)
locator = Locator([root + "/usr/lib/tuned"])
merged = {}
for name in locator.get_known_names():
    try:
        profile = Loader(locator, Factory(), Merger(), None, Variables()).load(name)
    except InvalidProfileException:
        continue  # it asserts that its variables are set
    merged[name] = [
        "%s=%s" % (key, value.strip('"'))
        for unit in profile.units.values()
        if unit.type == "sysctl" and unit.enabled
        for key, value in unit.options.items()
        if key.startswith("net.")
    ]
json.dump(merged, sys.stdout)

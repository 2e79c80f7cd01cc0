"""What the connectors' tests share with the integration tests: servers, workspaces, the comparison of values."""

import importlib.util
import pathlib
import sys

INTEGRATION = pathlib.Path(__file__).parents[1] / "integration"
sys.path.insert(0, str(INTEGRATION))
spec = importlib.util.spec_from_file_location("integration", INTEGRATION / "conftest.py")
integration = importlib.util.module_from_spec(spec)
sys.modules["integration"] = integration
spec.loader.exec_module(integration)

from integration import *  # noqa: E402,F401,F403

import { BarChart, LineChart } from "echarts/charts";
import { GridSimpleComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([BarChart, LineChart, GridSimpleComponent, TooltipComponent, CanvasRenderer]);
export { init };
